"""References from result and input images to files of the image store."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, cast, func, select, union

from db.inputs import InputImageRepository
from db.pictures import ResultImageRepository
from db.tables import inputs, jobs, pictures

# A file counts once, however many images refer to it.
_FILES: Final = union(
    *(
        select(table.c.sha256, table.c.size).where(table.c.sha256.is_not(None), table.c.removed_at.is_(None))
        for table in (pictures, inputs)
    )
).subquery()
_KEPT: Final = union(
    *(
        select(table.c.sha256, table.c.media_type, table.c.size).where(
            table.c.sha256.is_not(None), table.c.removed_at.is_(None)
        )
        for table in (pictures, inputs)
    )
)
_OF_MEMBER: Final = union(
    *(
        select(table.c.sha256, table.c.size)
        .join(jobs, jobs.c.id == table.c.job_id)
        .where(jobs.c.member_id == bindparam("of_member"))
        .where(table.c.sha256.is_not(None), table.c.removed_at.is_(None))
        for table in (pictures, inputs)
    )
).subquery()
_SIZE: Final = select(cast(func.coalesce(func.sum(_FILES.c.size), 0), BigInteger))
_SIZE_OF_MEMBER: Final = select(cast(func.coalesce(func.sum(_OF_MEMBER.c.size), 0), BigInteger))


def referenced_hashes(connection: Connection, hashes: Collection[str], *, hold: bool = False) -> set[str]:
    """Return the files referred to by a kept image.

    `hold` locks those references until the transaction ends: a concurrent deletion waits, and then sees the rows
    written here.
    """
    repositories = ResultImageRepository(connection), InputImageRepository(connection)
    return set().union(*(repository.list_kept(hashes, hold=hold) for repository in repositories))


def list_kept_files(connection: Connection) -> list[tuple[str, str, int]]:
    """Return the hash, media type and size of each needed file."""
    return [(row.sha256, row.media_type, row.size) for row in connection.execute(_KEPT)]


def stored_bytes(connection: Connection, member_id: int | None = None) -> int:
    """Return the bytes of all kept images, or of one member's in all guilds."""
    if member_id is None:
        return connection.execute(_SIZE).scalar_one()
    return connection.execute(_SIZE_OF_MEMBER, {"of_member": member_id}).scalar_one()
