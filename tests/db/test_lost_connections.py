"""Failing databases: locked, full or read-only.

Errors propagate unchanged, and nothing is half-written.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from bot.engine.ledger import Ledger
from db import sqlite as sqlite_module
from db.accounts import AccountRepository
from db.audit import audit
from db.database import Database
from db.key_value import KeyValueRepository
from db.locks import CLAIMING, advisory_lock
from db.process_lock import AlreadyRunningError, hold_process_lock
from db.tables import holds, jobs
from tests.support.databases import Databases
from tests.support.factories import GUILD, MEMBER
from tests.support.ledger import hold, make_job_for, make_ledger


@pytest.fixture
async def url(sqlite_databases: Databases) -> AsyncIterator[str]:
    """Return the URL of a fresh SQLite database."""
    url = await sqlite_databases.create(migrated=True)
    yield url
    await sqlite_databases.drop(url)


def file_of(url: str) -> Path:
    """Return a SQLite URL's file."""
    return Path(url.removeprefix("sqlite+aiosqlite:///"))


async def held(database: Database) -> int:
    """Return the number of jobs; each has a hold and the audit finds nothing."""

    def read(connection: Connection) -> tuple[int, int]:
        counts = [len(connection.execute(select(table)).all()) for table in (jobs, holds)]
        return counts[0], counts[1]

    assert await database.read(audit) == []
    made, of_them_held = await database.read(read)
    assert made == of_them_held
    return made


async def hold_one(database: Database, ledger: Ledger) -> None:
    """Create a job and hold its credits."""
    job = make_job_for()
    await database.write(lambda connection: hold(connection, ledger, job))


async def test_write_to_locked_sqlite_file_fails_and_next_write_succeeds(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, a backup tool may hold the lock for longer than we wait."""
    monkeypatch.setattr(sqlite_module, "_BUSY_TIMEOUT_MS", 1)
    database = await Database.open(url)
    ledger = make_ledger()
    other = sqlite3.connect(file_of(url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        with pytest.raises(OperationalError, match="locked"):
            await hold_one(database, ledger)
    assert await held(database) == 0  # readers are not kept out
    other.execute("ROLLBACK")
    other.close()
    await hold_one(database, ledger)
    assert await held(database) == 1
    await database.close()


async def test_write_to_full_disk_is_undone_and_succeeds_with_room(url: str) -> None:
    database = await Database.open(url)
    ledger = make_ledger(allowance=100_000, budget=100_000)
    await hold_one(database, ledger)

    def limit(pages: int) -> None:
        database._backend._writer._connection._conn.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    def fill(connection: Connection) -> None:
        hold(connection, ledger, make_job_for())
        KeyValueRepository(connection).save("large", "x" * 1_000_000)

    limit(1)  # as many as there are
    for _ in range(2):
        with pytest.raises(OperationalError, match="full"):
            await database.write(fill)
    assert await held(database) == 1
    limit(1_000_000)
    await database.write(fill)
    assert await held(database) == 2
    await database.close()


async def test_failed_commit_is_rolled_back_and_next_write_succeeds(url: str) -> None:
    database = await Database.open(url)
    ledger = make_ledger()

    def refused_at_the_end(connection: Connection) -> None:
        hold(connection, ledger, make_job_for())
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        connection.execute(text("INSERT INTO postings VALUES ('nobody''s', 'earned', '', 1)"))

    for _ in range(2):
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            await database.write(refused_at_the_end)
    assert await held(database) == 0
    await hold_one(database, ledger)
    assert await held(database) == 1
    await database.close()


async def test_read_only_file_system_fails_writes_and_serves_reads(url: str) -> None:
    database = await Database.open(url)
    ledger = make_ledger()
    await hold_one(database, ledger)
    raw = database._backend._writer._connection._conn  # type: ignore[attr-defined]
    raw.execute("PRAGMA query_only = ON")  # tests may run as root, whom no file is read-only for
    with pytest.raises(OperationalError, match="readonly"):
        await hold_one(database, ledger)
    account = await database.read(lambda connection: AccountRepository(connection).find(GUILD, MEMBER))
    assert account is not None
    assert account.held == 12
    raw.execute("PRAGMA query_only = OFF")
    await hold_one(database, ledger)
    assert await held(database) == 2
    await database.close()


async def test_open_with_file_in_place_of_folder_raises(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OSError, match="data"):
        await Database.open(f"sqlite+aiosqlite:///{tmp_path}/data/atelier.db")
    with pytest.raises(OSError, match="data"), hold_process_lock(tmp_path / "data" / "atelier.db"):
        pass


def test_process_lock_rejects_second_process_and_creates_folder(tmp_path: Path) -> None:
    file = tmp_path / "data" / "atelier.db"
    with hold_process_lock(file):
        with pytest.raises(AlreadyRunningError), hold_process_lock(file):
            raise AssertionError("two at once")
        with hold_process_lock(tmp_path / "data" / "another.db"):
            pass
    with hold_process_lock(file):
        pass


async def test_advisory_lock_serializes_transactions(database: Database, other: Database) -> None:
    def count_up(connection: Connection) -> int:
        advisory_lock(connection, CLAIMING)
        facts = KeyValueRepository(connection)
        count = int(facts.find("turns") or 0) + 1
        facts.save("turns", str(count))
        return count

    counts = await asyncio.gather(*(each.write(count_up) for _ in range(10) for each in (database, other)))
    assert sorted(counts) == list(range(1, 21))
