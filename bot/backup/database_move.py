"""Moves of the whole database to another one, of the same kind or not.

A move is no backup: it leaves nothing out, and live jobs go on at the new place.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.backup.archive import BackupError, reason
from bot.backup.database_copy import copy_to_file, integrity_faults, is_disk_fault, open_file
from bot.backup.targets import target_of
from bot.backup.workspace import open_workspace
from bot.settings import Settings
from db.audit import audit
from db.columns import metadata
from db.database import Database
from db.faults import first_cause
from db.locks import MIGRATING, advisory_lock
from db.migrate import current_revision, pending_migrations
from db.process_lock import AlreadyRunningError, hold_process_lock
from db.restored_jobs import RestoredJobRepository
from db.table_copy import Stop, copy_rows, count_rows
from db.workers import WorkerRepository

_RUNNING: Final = (
    "A bot runs on the old database. Stop it first; nothing was moved. A killed one counts as running for"
    " LEASE_SECONDS more."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The result of a move.

    Both addresses are without passwords. `rows` are numbers by table. `live_jobs` had not ended. `ledger_faults` are
    mistakes, as many as before.
    """

    source: str
    target: str
    rows: dict[str, int]
    live_jobs: int
    ledger_faults: int
    aside: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """The state of the source."""

    live_jobs: int
    ledger_faults: int


class _AllContents:
    """Every row of every table, proved by numbers of rows and by the audit."""

    def __init__(self, staged: Path, facts: _Facts) -> None:
        self._staged = staged
        self._facts = facts
        self.rows: dict[str, int] = {}

    def copy(self, staged: Connection, target: Connection, stop: Stop) -> None:
        """Copy every row."""
        copy_rows(staged, target, metadata.sorted_tables, {}, stop)

    def prove(self, target: Connection) -> None:
        """Compare the numbers of rows, and audit the ledger.

        Raises:
            BackupError: the target differs.
        """
        if faults := integrity_faults(target):
            raise BackupError(f"The new database is damaged: {faults[0]}. Nothing was moved.")
        with open_file(self._staged) as staged:  # in its present state, not in that of the copy
            self.rows = _compare(count_rows(staged), count_rows(target))
        problems = audit(target)
        if len(problems) > self._facts.ledger_faults:
            raise BackupError(f"The ledger does not balance in the new database: {problems[0]}. Nothing was moved.")


async def move_database(settings: Settings, url: str, now: datetime, *, force: bool) -> Moved:
    """Copy the database of the settings to another one, and prove the copy.

    The source stays as it is.

    Raises:
        BackupError: it cannot be moved; the target is as it was.
    """
    source, target = make_url(settings.database_address), make_url(url)
    if _place(source) == _place(target):
        raise BackupError("This is the database of your settings already. Name another one.")
    file = _file(target)
    folder = settings.data_dir if file is None else file.parent
    with _naming(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        destination = target_of(url, now)
        with open_workspace(folder.absolute()) as workspace:
            async with _open_source(source, now) as database, destination.reserve(force=force):
                with _naming_source():
                    facts = await _examine(database)
                    # PostgreSQL reads a file that no bot uses as it is.
                    staged = _file(source) if file is None else None
                    staged = staged or await _stage(database, workspace / "atelier.db", now)
                contents = _AllContents(staged, facts)
                aside = await destination.replace(staged, contents)
    return Moved(
        source=source.render_as_string(),
        target=target.render_as_string(),
        rows=contents.rows,
        live_jobs=facts.live_jobs,
        ledger_faults=facts.ledger_faults,
        aside=aside,
    )


def _place(url: URL) -> tuple[object, ...]:
    """Return the place of a database, without users and options."""
    file = _file(url)
    return (file,) if file is not None else (url.host, url.port or 5432, url.database, url.query.get("host"))


def _file(url: URL) -> Path | None:
    """Return the file of SQLite; None for PostgreSQL."""
    return Path(str(url.database)).resolve() if url.get_backend_name() == "sqlite" else None


@asynccontextmanager
async def _open_source(url: URL, now: datetime) -> AsyncIterator[Database]:
    """Open the source, and keep bots away from it."""
    file = _file(url)
    if file is not None and not file.exists():
        raise BackupError(f"There is no database yet: {file} does not exist.")
    with _hold(file):
        with _naming_source():
            database = await Database.open(url.render_as_string(hide_password=False))
        try:
            if file is None:
                with _naming_source():
                    await database.read(lambda connection: _check_leases(connection, now))
            yield database
        finally:
            await database.close()


@contextmanager
def _hold(file: Path | None) -> Iterator[None]:
    if file is None:
        yield
        return
    try:
        with hold_process_lock(file):
            yield
    except AlreadyRunningError:
        raise BackupError(_RUNNING) from None


def _check_leases(connection: Connection, now: datetime) -> None:
    if WorkerRepository(connection).has_live(now):
        raise BackupError(_RUNNING)


async def _examine(database: Database) -> _Facts:
    """Check that the source is whole and of this version."""
    if await database.read(current_revision) is None:
        raise BackupError("The database of your settings is empty: there is nothing to move.")
    if await pending_migrations(database):
        raise BackupError("This database is not up to date. Run `atelier migrate` first.")
    if faults := await database.read(integrity_faults, long_running=True):
        raise BackupError(f"The old database is damaged: {faults[0]}. Restore a backup instead.")
    return _Facts(
        live_jobs=await database.read(lambda connection: RestoredJobRepository(connection).count_live()),
        ledger_faults=len(await database.read(audit, long_running=True)),
    )


async def _stage(database: Database, file: Path, now: datetime) -> Path:
    """Copy the source to a new SQLite file, and compare both."""
    stop = Stop()

    def copy(source: Connection, target: Connection) -> dict[str, int]:
        advisory_lock(source, MIGRATING)  # a bot that starts waits for it
        return copy_rows(source, target, metadata.sorted_tables, {}, stop)

    def check(source: Connection) -> None:
        _check_leases(source, now)  # one may have got that lock just before
        _compare(count_rows(source), copied)

    with stop.if_cancelled():
        copied = await copy_to_file(database, file, copy)
    await database.read(check, long_running=True)
    return file


def _compare(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return the numbers of rows.

    Raises:
        BackupError: they differ.
    """
    if different := [name for name, number in before.items() if after.get(name) != number]:
        raise BackupError(
            f"The old database has other numbers of rows than the copy: {', '.join(different)}. Nothing was moved. Stop"
            " what changes it, and do it again."
        )
    return after


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Let a fault of the target or of the disk say that nothing was moved."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"Nothing was moved: {folder} cannot be written ({reason(error)}).") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        if is_disk_fault(error):
            raise BackupError(f"Nothing was moved: the disk of {folder} is full, or fails.") from error
        raise BackupError(f"Nothing was moved: the new database cannot be used ({first_cause(error)}).") from error


@contextmanager
def _naming_source() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError, sqlite3.Error) as error:
        if is_disk_fault(error):
            raise
        raise BackupError(
            f"The old database cannot be used ({first_cause(error)}). `atelier doctor` says more."
        ) from error
