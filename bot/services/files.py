"""Files of the store that requests refer to."""

from collections.abc import Iterable

from sqlalchemy import Connection

from bot.domain.errors import PictureGoneError
from bot.domain.requests import InputPicture
from db.files import referred_to


def require_files(connection: Connection, inputs: Iterable[InputPicture]) -> None:
    """Raise `PictureGoneError` where a file to start from has been given up since it was looked up."""
    wanted = {each.file.sha256 for each in inputs if each.file is not None}
    if wanted and referred_to(connection, wanted, hold=True) < wanted:
        raise PictureGoneError
