"""Waiting steps share a transaction."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from db.backend import Backend
from db.batches import AloneError, Batch, ItemOutcome
from db.database import Database
from db.dialects import padded
from db.key_value import KeyValueRepository
from db.tables import facts
from db.timed_backend import TimedBackend

T = TypeVar("T")


class Saving:
    """A batch to save names, and its groups."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.groups: list[list[str]] = []
        self.batch = Batch(database, self._save)

    async def run(self, *names: str) -> list[str | BaseException]:
        """Save names at the same moment; return the outcomes."""
        self.groups.clear()
        return await asyncio.gather(*map(self.batch.run, names), return_exceptions=True)

    async def saved(self) -> set[str]:
        """Return the saved names."""
        rows = await self.database.read(lambda connection: connection.execute(select(facts.c.name)).scalars().all())
        return {name for name in rows if name.startswith("n-")}

    def _save(self, connection: Connection, names: Sequence[str]) -> Sequence[ItemOutcome[str]]:
        self.groups.append(list(names))
        return [self._save_one(connection, name, is_alone=len(names) == 1) for name in names]

    def _save_one(self, connection: Connection, name: str, *, is_alone: bool) -> ItemOutcome[str]:
        if name.startswith("refused"):
            return LookupError(name)
        if name.startswith("rare") and not is_alone:
            return AloneError()
        KeyValueRepository(connection).save(f"n-{name}", "1")
        if name.startswith("broken"):
            connection.execute(facts.insert(), [{"name": f"n-{name}", "value": "2"}])  # the name exists
        if name.startswith("late"):
            return LookupError(name)  # after it wrote; only alone may it
        return name


@pytest.fixture
def saving(database: Database) -> Saving:
    """Return a batch of each kind of database in turn."""
    return Saving(database)


async def test_waiting_steps_share_a_transaction(saving: Saving) -> None:
    names = [str(number) for number in range(50)]
    assert await saving.run(*names) == names
    assert saving.groups == [names]
    assert await saving.saved() == {f"n-{name}" for name in names}


async def test_single_step_has_its_own_transaction(saving: Saving) -> None:
    assert await saving.run("1") == ["1"]
    assert saving.groups == [["1"]]


async def test_many_steps_are_parted(saving: Saving) -> None:
    names = [str(number) for number in range(300)]
    assert await saving.run(*names) == names
    assert max(map(len, saving.groups)) == 128
    assert sum(map(len, saving.groups)) == 300


async def test_refused_step_fails_alone(saving: Saving) -> None:
    one, refused, other = await saving.run("1", "refused", "2")
    assert (one, other) == ("1", "2")
    assert isinstance(refused, LookupError)
    assert len(saving.groups) == 1
    assert await saving.saved() == {"n-1", "n-2"}


async def test_rare_step_gets_a_transaction_for_itself(saving: Saving) -> None:
    assert await saving.run("1", "rare", "2") == ["1", "rare", "2"]
    assert saving.groups == [["1", "rare", "2"], ["rare"]]
    assert await saving.saved() == {"n-1", "n-rare", "n-2"}


async def test_fault_of_the_database_is_that_of_its_step(saving: Saving) -> None:
    one, broken, other = await saving.run("1", "broken", "2")
    assert (one, other) == ("1", "2")
    assert isinstance(broken, IntegrityError)
    assert await saving.saved() == {"n-1", "n-2"}


class FaultyBackend(TimedBackend):
    """A backend with faults before the transactions or after their commits."""

    def __init__(self, backend: Backend, *, is_late: bool) -> None:
        super().__init__(backend, lambda _kind, _seconds: None)
        self.is_late = is_late
        self.begun = 0

    async def write(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Lose the connection."""
        self.begun += 1
        if self.is_late:
            await super().write(function, long_running=long_running)
        raise ConnectionResetError


@pytest.mark.parametrize("is_late", [False, True])
async def test_lost_connection_fails_each_step_without_another_try(database: Database, *, is_late: bool) -> None:
    """Another try would find the committed steps done, or wait as long again."""
    backend = FaultyBackend(database._backend, is_late=is_late)
    saving = Saving(Database(backend))
    results = await saving.run("1", "refused", "2")
    assert [type(each) for each in results] == [ConnectionResetError] * 3
    assert backend.begun == 1
    assert await saving.saved() == ({"n-1", "n-2"} if is_late else set())


async def test_error_after_a_write_undoes_it(saving: Saving) -> None:
    (late,) = await saving.run("late")
    assert isinstance(late, LookupError)
    assert await saving.saved() == set()


async def test_step_of_a_cancelled_caller_is_run(saving: Saving) -> None:
    callers = [asyncio.create_task(saving.batch.run(name)) for name in ("1", "2")]
    await asyncio.sleep(0)
    callers[0].cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == "2"
    assert await saving.saved() == {"n-1", "n-2"}


@pytest.mark.parametrize("names", [("1",), ("1", "2")])
async def test_missing_outcome_is_an_error(database: Database, names: tuple[str, ...]) -> None:
    batch: Batch[str, str] = Batch(database, lambda _connection, _items: [])
    results = await asyncio.gather(*map(batch.run, names), return_exceptions=True)
    assert [type(each) for each in results] == [ValueError] * len(names)


async def test_step_may_raise_stop_iteration(database: Database) -> None:
    batch: Batch[str, str] = Batch(database, lambda _connection, items: [StopIteration() for _ in items])
    results = await asyncio.gather(batch.run("1"), batch.run("2"), return_exceptions=True)
    assert [type(each) for each in results] == [RuntimeError] * 2


class LoopEndError(BaseException):
    """An end of everything, as a cancellation is."""


@pytest.mark.parametrize("is_alone", [False, True])
async def test_no_caller_waits_forever_for_a_batch_that_ended(database: Database, *, is_alone: bool) -> None:
    def end(_connection: Connection, names: Sequence[str]) -> list[ItemOutcome[str]]:
        if is_alone and len(names) > 1:
            return [AloneError() for _ in names]
        raise LoopEndError

    batch: Batch[str, str] = Batch(database, end)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*(batch.run(str(number)) for number in range(500)), return_exceptions=True)
    assert {type(each) for each in results} == {asyncio.CancelledError}


async def test_close_waits_for_the_steps(database_url: str, database: Database) -> None:
    closing = await Database.open(database_url)
    saving = Saving(closing)
    steps = [asyncio.create_task(saving.batch.run(str(number))) for number in range(200)]
    await asyncio.sleep(0)
    await closing.close()
    assert [step.result() for step in steps] == [str(number) for number in range(200)]
    assert len(await Saving(database).saved()) == 200


async def test_reads_that_wait_share_a_transaction(database: Database) -> None:
    groups: list[int] = []

    def read(connection: Connection, names: Sequence[str]) -> list[str | None]:
        groups.append(len(names))
        return [KeyValueRepository(connection).find(name) for name in names]

    batch: Batch[str, str | None] = Batch(database, read, reads=True)
    await database.write(lambda connection: KeyValueRepository(connection).save("n-1", "one"))
    assert list(await asyncio.gather(batch.run("n-1"), batch.run("n-2"))) == ["one", None]
    assert groups == [2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], []), ([1], [1]), ([1, 2, 3], [1, 2, 3, 3]), (range(5), [0, 1, 2, 3, 4, 4, 4, 4])],
)
def test_padded_lists_have_few_lengths(values: Sequence[int], expected: list[int]) -> None:
    assert padded(values) == expected
