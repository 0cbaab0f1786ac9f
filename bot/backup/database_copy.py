"""Copies between the product's database and the SQLite file of a backup."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, select, union

from bot.images.picture_store import StoredImageName
from db.backup_columns import ERASED, copied_tables
from db.database import Database
from db.migrate import migrate
from db.table_copy import copy_rows
from db.tables import inputs, pictures

_KEPT: Final = union(
    *(
        select(table.c.sha256, table.c.media_type).where(table.c.sha256.is_not(None), table.c.removed_at.is_(None))
        for table in (pictures, inputs)
    )
)


def sqlite_url(file: Path) -> str:
    """Return the address of a SQLite file."""
    return f"sqlite+aiosqlite:///{file}"


CopyRows = Callable[[Connection, Connection], dict[str, int]]
"""Copies rows from the first to the second database, and returns their numbers by table."""


def copy_without_secrets(source: Connection, target: Connection) -> dict[str, int]:
    """Copy the rows of a backup."""
    return copy_rows(source, target, copied_tables(), ERASED)


async def copy_to_file(source: Database, file: Path, copy: CopyRows) -> dict[str, int]:
    """Copy one state of the database to a new SQLite file.

    Return the numbers of rows by table.
    """
    empty = await Database.open(sqlite_url(file))
    try:
        await migrate(empty)
    finally:
        await empty.close()

    def read(connection: Connection) -> dict[str, int]:
        with open_file(file) as target, target.begin():
            return copy(connection, target)

    return await source.read(read, long_running=True)


def integrity_faults(connection: Connection) -> list[str]:
    """Return SQLite's words on damage of its file; none for other databases."""
    if connection.dialect.name != "sqlite":
        return []
    found = [str(line) for line in connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars()]
    foreign = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [line for line in found if line != "ok"] + [f"a row of {row[0]} refers to a missing one" for row in foreign]


def is_disk_fault(error: Exception) -> bool:
    """Return whether SQLite could not write: the disk is full or fails."""
    return _name_of(error).startswith(("SQLITE_FULL", "SQLITE_IOERR"))


def is_damage(error: Exception) -> bool:
    """Return whether SQLite found a damaged file."""
    return _name_of(error).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _name_of(error: Exception) -> str:
    """Return SQLite's name of an error; "" for another one."""
    return getattr(getattr(error, "orig", None) or error, "sqlite_errorname", "")


def has_foreign_objects(file: Path) -> bool:
    """Return whether a SQLite file has more than tables and indexes.

    Triggers and views of a stranger would run with our statements.
    """
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        wanted = "SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
        return connection.execute(wanted).fetchone() is not None


def kept_pictures(connection: Connection) -> list[StoredImageName]:
    """Return the names of all kept pictures."""
    return [StoredImageName(sha256=row.sha256, media_type=row.media_type) for row in connection.execute(_KEPT)]


@contextmanager
def open_file(file: Path) -> Iterator[Connection]:
    """Open a SQLite file without Atelier's threads."""
    engine = create_engine(f"sqlite:///{file}", hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
