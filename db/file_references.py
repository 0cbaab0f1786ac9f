"""Files of the store, which pictures and what jobs start from may share."""

from collections.abc import Collection

from sqlalchemy import Connection

from db.inputs import InputImageRepository
from db.pictures import ResultImageRepository


def referenced_hashes(connection: Connection, hashes: Collection[str], *, hold: bool = False) -> set[str]:
    """Return which of these files some kept picture or input refers to.

    With `hold` it stays so until the transaction ends: whoever gives one of them up waits, and then sees what was
    written here.
    """
    repositories = ResultImageRepository(connection), InputImageRepository(connection)
    return set().union(*(repository.kept(hashes, hold=hold) for repository in repositories))
