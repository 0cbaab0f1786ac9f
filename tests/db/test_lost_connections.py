"""Databases in trouble: locked, full, read-only. Errors come out as they are, and nothing is half-written."""

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
    """Return where it lies."""
    return Path(url.removeprefix("sqlite+aiosqlite:///"))


async def held(database: Database) -> int:
    """Return how many jobs there are, each with its hold and the audit's blessing."""

    def read(connection: Connection) -> tuple[int, int]:
        counts = [len(connection.execute(select(table)).all()) for table in (jobs, holds)]
        return counts[0], counts[1]

    assert await database.read(audit) == []
    made, of_them_held = await database.read(read)
    assert made == of_them_held
    return made


async def hold_one(database: Database, ledger: Ledger) -> None:
    """Make a job and hold its credits."""
    job = make_job_for()
    await database.write(lambda connection: hold(connection, ledger, job))


async def test_a_database_that_somebody_else_locks_is_an_error_that_passes(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup tool holds the lock for longer than we wait: the write fails whole, and the next one goes well."""
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


async def test_a_full_disk_is_an_error_that_passes(url: str) -> None:
    """No room for the whole transaction: none of it is there, and once there is room it can be made."""
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


async def test_a_commit_that_fails_leaves_the_writer_usable(url: str) -> None:
    """SQLite keeps a transaction open whose COMMIT it refuses: it is undone, and the next one can begin."""
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


async def test_a_database_that_cannot_be_written_is_told_at_the_write(url: str) -> None:
    """The file system has become read-only: writes fail, reads go on, and nothing hangs."""
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


async def test_a_folder_that_cannot_be_made_is_an_error_at_the_start(tmp_path: Path) -> None:
    """Where the folder should be there is a file: the start fails at once."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OSError, match="data"):
        await Database.open(f"sqlite+aiosqlite:///{tmp_path}/data/atelier.db")
    with pytest.raises(OSError, match="data"), hold_process_lock(tmp_path / "data" / "atelier.db"):
        pass


def test_one_file_is_served_by_one_process(tmp_path: Path) -> None:
    """A second one is refused as long as the first has it, and the folder is made where there is none."""
    file = tmp_path / "data" / "atelier.db"
    with hold_process_lock(file):
        with pytest.raises(AlreadyRunningError), hold_process_lock(file):
            raise AssertionError("two at once")
        with hold_process_lock(tmp_path / "data" / "another.db"):
            pass
    with hold_process_lock(file):
        pass


async def test_turns_are_one_at_a_time(database: Database, other: Database) -> None:
    """Whoever waits for its turn sees all that the one before it has written: no count is lost."""

    def count_up(connection: Connection) -> int:
        advisory_lock(connection, CLAIMING)
        facts = KeyValueRepository(connection)
        count = int(facts.find("turns") or 0) + 1
        facts.save("turns", str(count))
        return count

    counts = await asyncio.gather(*(each.write(count_up) for _ in range(10) for each in (database, other)))
    assert sorted(counts) == list(range(1, 21))
