"""Files of the store, which pictures and what jobs start from may share."""

from collections.abc import Collection

from sqlalchemy import Connection

from db.inputs import InputRepository
from db.pictures import PictureRepository


def referred_to(connection: Connection, hashes: Collection[str]) -> set[str]:
    """Return which of these files some kept picture or input refers to."""
    return PictureRepository(connection).kept(hashes) | InputRepository(connection).kept(hashes)
