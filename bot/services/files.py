"""Files of the store that pictures and inputs refer to."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from bot.domain.errors import PictureGoneError
from bot.domain.requests import InputPicture
from db.inputs import InputRepository
from db.pictures import PictureRepository


def referred_to(connection: Connection, hashes: Collection[str]) -> set[str]:
    """Return which of these files some kept picture or input refers to."""
    return PictureRepository(connection).kept(hashes) | InputRepository(connection).kept(hashes)


def require_files(connection: Connection, inputs: Iterable[InputPicture]) -> None:
    """Raise `PictureGoneError` where a file to start from has been given up since it was looked up."""
    wanted = {each.file.sha256 for each in inputs if each.file is not None}
    if wanted and referred_to(connection, wanted) < wanted:
        raise PictureGoneError
