"""Files of the store that requests refer to."""

from collections.abc import Iterable

from sqlalchemy import Connection

from bot.domain.errors import ImageGoneError
from bot.domain.requests import InputImage
from db.file_references import referenced_hashes


def require_files(connection: Connection, inputs: Iterable[InputImage]) -> None:
    """Raise `ImageGoneError` where a file to start from has been given up since it was looked up."""
    wanted = {each.file.sha256 for each in inputs if each.file is not None}
    if wanted and referenced_hashes(connection, wanted, hold=True) < wanted:
        raise ImageGoneError
