"""Copies between the product's database and the SQLite file of a backup."""

import sqlite3
from collections.abc import Iterator
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


async def copy_to_file(source: Database, file: Path) -> dict[str, int]:
    """Copy one state of the database to a new SQLite file.

    Return the numbers of rows by table.
    """
    copy = await Database.open(sqlite_url(file))
    try:
        await migrate(copy)
    finally:
        await copy.close()

    def read(connection: Connection) -> dict[str, int]:
        with _connect(file) as target, target.begin():
            return copy_rows(connection, target, copied_tables(), ERASED)

    return await source.read(read, long_running=True)


def copy_from_file(file: Path, target: Connection) -> None:
    """Copy all rows of a SQLite file into empty tables."""
    with _connect(file) as source:
        copy_rows(source, target, copied_tables(), {})


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
def _connect(file: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{file}", hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
