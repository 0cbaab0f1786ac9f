"""Databases to restore a backup to, or to move to."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError

from bot.backup.archive import BackupError, naming_the_database, sync_folder
from bot.backup.database_copy import open_file, sqlite_url
from db.backup_columns import copied_tables
from db.database import Database
from db.locks import MIGRATING, advisory_lock, disable_timeout
from db.migrate import apply_migrations
from db.process_lock import AlreadyRunningError, hold_process_lock
from db.table_copy import Stop, copy_rows, delete_rows, is_used, move_aside, update_statistics
from db.workers import WorkerRepository

_RUNNING: Final = "A bot runs on this database. Stop it first; nothing was changed."
_USED: Final = (
    "This database is in use already, and nothing was changed. With --force it is replaced, and the old one is kept"
    " aside."
)
_BESIDE: Final = ("-wal", "-shm")


class Contents(Protocol):
    """Rows of a staged SQLite file, on their way to a target."""

    def copy(self, staged: Connection, target: Connection, stop: Stop) -> None:
        """Copy the rows into empty tables, until `stop` ends that."""
        ...

    def prove(self, target: Connection) -> None:
        """Check the target before anything of it becomes valid.

        Raises:
            BackupError: it differs.
        """
        ...


class BackupContents:
    """Rows of a backup, proved by the restore before."""

    def copy(self, staged: Connection, target: Connection, stop: Stop) -> None:
        """Copy all rows of a backup."""
        copy_rows(staged, target, copied_tables(), {}, stop)

    def prove(self, target: Connection) -> None:
        """Do nothing."""


class Target(Protocol):
    """A database to restore or to move to."""

    def reserve(self, *, force: bool) -> AbstractAsyncContextManager[None]:
        """Keep bots away; refuse a used database without `force`.

        Raises:
            BackupError: a bot runs on it, or it is used.
        """
        ...

    async def replace(self, staged: Path, contents: Contents) -> str | None:
        """Put the SQLite file in place of the database.

        Return the place of the earlier one, or None if it was not used. A cancelled call changes nothing, or all.
        """
        ...


def target_of(url: str, now: datetime) -> Target:
    """Return the database at a URL as a target."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteTarget(Path(str(parsed.database)).absolute(), now)
    return PostgresqlTarget(url, now)


class SqliteTarget:
    """A SQLite file."""

    def __init__(self, file: Path, now: datetime) -> None:
        self._file = file.resolve()
        self._aside = self._file.with_name(f"{self._file.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
        self._keep = False

    @asynccontextmanager
    async def reserve(self, *, force: bool) -> AsyncIterator[None]:
        """Hold the lock of the bot's process."""
        try:
            with hold_process_lock(self._file):
                self._keep = await asyncio.to_thread(self._is_used)
                if self._keep and not force:
                    raise BackupError(_USED)
                yield
        except AlreadyRunningError:
            raise BackupError(_RUNNING) from None

    async def replace(self, staged: Path, contents: Contents) -> str | None:
        """Rename the file into place."""
        database = await Database.open(sqlite_url(staged))
        try:
            await database.read(contents.prove)
        finally:
            await database.close()
        await asyncio.to_thread(self._replace, staged)
        return str(self._aside) if self._keep else None

    def _is_used(self) -> bool:
        if not self._file.exists():
            return False
        engine = create_engine(f"sqlite:///{self._file}", hide_parameters=True)
        try:
            with engine.connect() as connection:
                return is_used(connection)
        except DBAPIError:
            return True  # damaged: perhaps somebody can still save it
        finally:
            engine.dispose()

    def _replace(self, staged: Path) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if self._keep:
            try:
                os.link(self._file, self._aside)  # the name is never without a database
            except OSError:
                shutil.copy2(self._file, self._aside)
        # The log of another database would destroy this one.
        for suffix in _BESIDE:
            beside = self._file.with_name(self._file.name + suffix)
            with suppress(FileNotFoundError):
                beside.rename(self._aside.with_name(self._aside.name + suffix)) if self._keep else beside.unlink()
        staged.rename(self._file)
        sync_folder(self._file.parent)


class PostgresqlTarget:
    """A PostgreSQL database."""

    def __init__(self, url: str, now: datetime) -> None:
        self._url = url
        self._now = now
        self._aside = f"replaced_{now:%Y%m%dt%H%M%Sz}"
        self._force = False

    @asynccontextmanager
    async def reserve(self, *, force: bool) -> AsyncIterator[None]:
        """Check the leases of workers, which `replace` does again."""
        self._force = force
        with naming_the_database(make_url(self._url).host):
            database = await Database.open(self._url)
            try:
                await database.read(self._check)
            finally:
                await database.close()
        yield

    async def replace(self, staged: Path, contents: Contents) -> str | None:
        """Copy all rows in one transaction.

        A bot that starts meanwhile waits for the lock of migrations.
        """
        stop = Stop()

        def write(connection: Connection) -> bool:
            disable_timeout(connection)
            advisory_lock(connection, MIGRATING)
            self._check(connection)
            if used := is_used(connection):
                move_aside(connection, self._aside)
            apply_migrations(connection)
            delete_rows(connection)
            with open_file(staged) as rows:
                rows.exec_driver_sql("BEGIN")  # all tables in one state
                contents.copy(rows, connection, stop)
            update_statistics(connection)
            contents.prove(connection)
            stop.check()
            return used

        with naming_the_database(make_url(self._url).host):
            database = await Database.open(self._url)
            try:
                with stop.if_cancelled():
                    used = await database.write(write, long_running=True)
            finally:
                await database.close()
        return f"schema {self._aside}" if used else None

    def _check(self, connection: Connection) -> None:
        if WorkerRepository(connection).has_live(self._now):
            raise BackupError(_RUNNING)
        if not self._force and is_used(connection):
            raise BackupError(_USED)
