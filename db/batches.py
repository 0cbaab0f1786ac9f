"""Steps of one kind that wait at the same moment, in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
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


class AloneError(Exception):
    """The outcome of an item whose rare case needs a separate transaction."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    """A waiting item, and the place of its result."""

    item: Item
    result: asyncio.Future[Any]


class Batch(Generic[Item, Result]):
    """Runs steps that wait in one transaction.

    `function` returns an outcome for each item and writes those without an error. Of one item, it may raise or return
    the error. After a fault of a whole transaction each of its items is run alone, so that one cannot fail others.
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

    async def run(self, item: Item) -> Result:
        """Run an item with those that wait; raises its error.

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
                await self._run_group(group)
        finally:
            self._runners -= 1

    async def _run_group(self, group: Sequence[_Waiting[Item]]) -> None:
        if len(group) > 1:
            items = [each.item for each in group]
            try:
                outcomes = await self._transaction(lambda connection: self._function(connection, items))
            except Exception:  # noqa: BLE001 - each meets its own error below
                outcomes = [AloneError()] * len(group)
            alone = [each for each, outcome in zip(group, outcomes, strict=True) if isinstance(outcome, AloneError)]
            for each, outcome in zip(group, outcomes, strict=True):
                if not isinstance(outcome, AloneError):
                    _end(each.result, outcome)
        else:
            alone = list(group)
        for each in alone:
            try:
                outcome = await self.run_alone(each.item)
            except Exception as error:  # noqa: BLE001 - raised again where its caller waits
                _end(each.result, error)
            else:
                _end(each.result, outcome)

    def _run_one(self, connection: Connection, item: Item) -> Result:
        (outcome,) = self._function(connection, [item])
        if isinstance(outcome, Exception):
            raise outcome  # undoes what was written for it
        return outcome


def _end(result: asyncio.Future[Any], outcome: ItemOutcome[Any]) -> None:
    if result.done():
        return  # its caller was cancelled
    if isinstance(outcome, Exception):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)
