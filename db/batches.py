"""Steps waiting at the same moment, in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from sqlalchemy import Connection

from db.database import Database

Item = TypeVar("Item")
Result = TypeVar("Result")

ItemOutcome: TypeAlias = Result | Exception
"""The result for an item, or its error: nothing was written for it then."""

_MOST: Final = 128
_Transaction: TypeAlias = Callable[[Callable[[Connection], Any]], Coroutine[Any, Any, Any]]

# While one transaction is being committed, the next one is prepared. SQLite has one writer.
_AT_ONCE: Final = {"sqlite": 1, "postgresql": 2}
# Fewer than connections: others need them, too.
_ALONE_AT_ONCE: Final = 4


class AloneError(Exception):
    """The outcome of an item in need of a separate transaction."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    """A waiting item, and the place of its result."""

    item: Item
    result: asyncio.Future[Any]


class _GroupRun(Generic[Item, Result]):
    """A batch's function on a group.

    `is_cause` is True if the group's transaction failed in it, and so is undone.
    """

    def __init__(
        self,
        function: Callable[[Connection, Sequence[Item]], Sequence[ItemOutcome[Result]]],
        items: Sequence[Item],
    ) -> None:
        self._function = function
        self._items = items
        self.is_cause = False

    def __call__(self, connection: Connection) -> Sequence[ItemOutcome[Result]]:
        self.is_cause = True
        outcomes = self._function(connection, self._items)
        if len(outcomes) != len(self._items):
            raise ValueError(f"{len(outcomes)} outcomes of {len(self._items)} steps")
        self.is_cause = False
        return outcomes


class Batch(Generic[Item, Result]):
    """Runs waiting steps in one transaction.

    `function` returns an outcome for each item and writes those without an error. Of one item, it may raise or return
    the error. If it fails as a whole, each of its items is run alone, so that one cannot fail others. A fault outside
    it is that of all: the connection may have been lost with the answer to the commit, and a step is not done twice.
    Nobody gets a result before the commit. `reads`: the steps only read.
    """

    def __init__(
        self,
        database: Database,
        function: Callable[[Connection, Sequence[Item]], Sequence[ItemOutcome[Result]]],
        *,
        reads: bool = False,
    ) -> None:
        self._database = database
        self._function = function
        self._transaction: _Transaction = database.read if reads else database.write
        self._waiting: deque[_Waiting[Item]] = deque()
        self._runners = 0
        self._turns = asyncio.Semaphore(_ALONE_AT_ONCE)

    async def run(self, item: Item) -> Result:
        """Run an item with the waiting ones; raises its error.

        If the caller is cancelled, the item is run nevertheless.
        """
        waiting = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._runners < _AT_ONCE[self._database.dialect]:
            self._runners += 1
            self._database.keep(self._run_waiting())
        result: Result = await waiting.result
        return result

    async def run_alone(self, item: Item) -> Result:
        """Run an item in a separate transaction; raises its error."""
        result: Result = await self._transaction(lambda connection: self._run_one(connection, item))
        return result

    async def _run_waiting(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
                try:
                    await self._run_group(group)
                except BaseException:
                    for each in (*group, *self._waiting):
                        each.result.cancel()
                    self._waiting.clear()
                    raise
        finally:
            self._runners -= 1

    async def _run_group(self, group: Sequence[_Waiting[Item]]) -> None:
        """Run items and give each its outcome; those for themselves go on alone."""
        if len(group) == 1:
            await self._end_alone(group[0])
            return
        run = _GroupRun(self._function, [each.item for each in group])
        outcomes: Sequence[ItemOutcome[Result]]
        try:
            outcomes = await self._transaction(run)
        except Exception as error:  # noqa: BLE001 - raised again where the callers wait
            outcomes = [AloneError() if run.is_cause else error] * len(group)
        for each, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, AloneError):
                self._database.keep(self._end_alone(each, self._turns))  # not here: it may wait for a lock for long
            else:
                _end(each.result, outcome)

    async def _end_alone(self, waiting: _Waiting[Item], turns: asyncio.Semaphore | None = None) -> None:
        try:
            async with turns or nullcontext():
                outcome: ItemOutcome[Result] = await self.run_alone(waiting.item)
        except Exception as error:  # noqa: BLE001 - raised again where its caller waits
            outcome = error
        except BaseException:
            waiting.result.cancel()  # the loop ends
            raise
        _end(waiting.result, outcome)

    def _run_one(self, connection: Connection, item: Item) -> Result:
        (outcome,) = self._function(connection, [item])
        if isinstance(outcome, Exception):
            raise outcome  # undoes what was written for it
        return outcome


def _end(result: asyncio.Future[Any], outcome: ItemOutcome[Any]) -> None:
    if result.done():
        return  # its caller was cancelled
    if isinstance(outcome, StopIteration):  # no future takes it
        fault = RuntimeError("a step raised StopIteration")
        fault.__cause__ = outcome
        result.set_exception(fault)
    elif isinstance(outcome, Exception):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)
