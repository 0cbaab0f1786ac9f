"""References from result and input images to files of the image store."""

from collections.abc import Collection

from sqlalchemy import Connection

from db.inputs import InputImageRepository
from db.pictures import ResultImageRepository


def referenced_hashes(connection: Connection, hashes: Collection[str], *, hold: bool = False) -> set[str]:
    """Return the files referred to by a kept image.

    `hold` locks those references until the transaction ends: a concurrent deletion waits, and then sees the rows
    written here.
    """
    repositories = ResultImageRepository(connection), InputImageRepository(connection)
    return set().union(*(repository.list_kept(hashes, hold=hold) for repository in repositories))
