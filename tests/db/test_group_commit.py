"""Writes of SQLite that wait at the same moment share a transaction."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from db.database import Database
from db.key_value import KeyValueRepository
from db.tables import facts
from tests.support.clock import let_others_run


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no group end by its time: a busy machine may take long."""
    monkeypatch.setattr("db.sqlite._GROUP_SECONDS", 3600.0)


def saving(name: str) -> Callable[[Connection], str]:
    """Return a transaction to save a value, and to return its name."""

    def write(connection: Connection) -> str:
        KeyValueRepository(connection).save(name, "1")
        return name

    return write


def raising(error: BaseException) -> Callable[[Connection], str]:
    """Return a transaction to save a value and to fail."""

    def write(connection: Connection) -> str:
        saving("failed")(connection)
        raise error

    return write


def breaking_a_key(connection: Connection) -> str:
    """Write a row that only a commit refuses."""
    saving("failed")(connection)
    connection.execute(text("PRAGMA defer_foreign_keys = ON"))
    connection.execute(text("INSERT INTO postings VALUES ('nobody''s', 'earned', '', 1)"))
    return "failed"


def ending_the_transaction(connection: Connection) -> str:
    """Lose the whole transaction, as some errors of SQLite do."""
    saving("failed")(connection)
    connection.exec_driver_sql("ROLLBACK")
    raise OSError("lost")


class Writer:
    """The writer's connection, as SQLite sees it."""

    def __init__(self, database: Database) -> None:
        self.statements: list[str] = []
        self._raw: Any = database._backend._writer._connection._conn  # type: ignore[attr-defined]
        self._raw.set_trace_callback(self.statements.append)

    @property
    def commits(self) -> int:
        """Number of commits so far."""
        return self.statements.count("COMMIT")


@asynccontextmanager
async def occupied(database: Database) -> AsyncIterator[None]:
    """Let writes wait until the block ends."""
    release = threading.Event()
    holding = asyncio.create_task(database.write(lambda _: release.wait()))
    await let_others_run()
    try:
        yield
        await let_others_run()
    finally:
        release.set()
        await holding


async def saved(database: Database) -> set[str]:
    """Return the names of all saved values."""
    rows = await database.read(lambda connection: connection.execute(select(facts.c.name)).scalars().all())
    return {name for name in rows if name.isdigit() or name == "failed"}


async def together(database: Database, *writes: Callable[[Connection], str]) -> list[str | BaseException]:
    """Run writes that wait at the same moment."""
    async with occupied(database):
        tasks = [asyncio.create_task(database.write(write)) for write in writes]
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_writes_share_one_commit(sqlite_database: Database) -> None:
    writer = Writer(sqlite_database)
    names = [str(number) for number in range(50)]
    assert await together(sqlite_database, *map(saving, names)) == names
    assert writer.commits == 2  # of the write that kept them waiting, and of the group
    assert await saved(sqlite_database) == set(names)


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        (raising(LookupError("no")), LookupError),
        (lambda connection: connection.execute(text("SELECT nothing")).scalar_one(), OperationalError),
        (breaking_a_key, IntegrityError),
        (ending_the_transaction, OSError),
    ],
    ids=["own error", "statement", "commit", "lost transaction"],
)
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_failing_write_of_a_group_is_undone_alone(
    sqlite_database: Database, failing: Callable[[Connection], str], error: type[Exception], at: int
) -> None:
    writes = [saving("1"), saving("2")]
    writes.insert(at, failing)
    results = await together(sqlite_database, *writes)
    assert isinstance(results.pop(at), error)
    assert list(results) == ["1", "2"]
    assert await saved(sqlite_database) == {"1", "2"}
    await sqlite_database.write(saving("3"))
    assert await saved(sqlite_database) == {"1", "2", "3"}


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (StopIteration(), RuntimeError),
        (GeneratorExit(), GeneratorExit),
        (asyncio.CancelledError(), asyncio.CancelledError),
    ],
    ids=["StopIteration", "GeneratorExit", "CancelledError"],
)
@pytest.mark.parametrize("others", [(), ("1", "2")], ids=["alone", "in a group"])
async def test_write_with_an_odd_error_keeps_no_other_waiting(
    sqlite_database: Database,
    raised: BaseException,
    error: type[BaseException],
    others: tuple[str, ...],
) -> None:
    first, *rest = await together(sqlite_database, raising(raised), *map(saving, others))
    assert isinstance(first, error)
    assert raised in (first, first.__cause__) or isinstance(raised, asyncio.CancelledError)
    assert rest == list(others)
    assert await sqlite_database.write(saving("3")) == "3"
    assert await saved(sqlite_database) == {*others, "3"}


async def test_cancelled_write_of_a_group_keeps_no_other_waiting(sqlite_database: Database) -> None:
    async with occupied(sqlite_database):
        given_up = asyncio.create_task(sqlite_database._backend.write(saving("1")))
        waiting = asyncio.create_task(sqlite_database.write(saving("2")))
        await let_others_run()
        given_up.cancel()
    assert await waiting == "2"
    assert await sqlite_database.write(saving("3")) == "3"


async def test_no_write_of_a_group_ends_before_its_commit(sqlite_database: Database) -> None:
    begun, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> str:
        begun.set()
        release.wait()
        return saving("2")(connection)

    async with occupied(sqlite_database):
        first = asyncio.create_task(sqlite_database.write(saving("1")))
        second = asyncio.create_task(sqlite_database.write(slow))
    await asyncio.to_thread(begun.wait)
    await let_others_run()
    ended, visible = first.done(), await saved(sqlite_database)
    release.set()
    assert not ended
    assert visible == set()
    assert [await first, await second] == ["1", "2"]


async def test_slow_write_ends_its_group(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.sqlite._GROUP_SECONDS", -1.0)
    writer = Writer(sqlite_database)
    names = [str(number) for number in range(3)]
    assert await together(sqlite_database, *map(saving, names)) == names
    assert writer.commits == 4


async def test_group_waits_for_a_locked_file_once(sqlite_database: Database) -> None:
    writer = Writer(sqlite_database)
    raw = sqlite_database._backend._writer._connection._conn  # type: ignore[attr-defined]
    raw.execute("PRAGMA busy_timeout = 1")
    find_file = "PRAGMA database_list"
    file = await sqlite_database.read(lambda connection: connection.exec_driver_sql(find_file).one()[2])
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writes = (sqlite_database.write(saving(str(number))) for number in range(3))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(each) for each in results] == [OperationalError] * 3
    assert writer.statements.count("BEGIN IMMEDIATE") == 1
    other.close()
    assert await sqlite_database.write(saving("4")) == "4"
