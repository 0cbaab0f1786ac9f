"""Turns for work of many members within a number of slots and a budget."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiter:
    member: int
    cost: int
    first: bool
    spare: bool
    granted: asyncio.Future[None] = field(repr=False)


class FairQueue:
    """Gives members turns: the one served longest ago is next.

    It is remembered while any work is left: otherwise members with one piece of work at a time would be new each time,
    and always pass those with more.

    A member has at most `per_member` turns at a time, also while slots are free: the next member's work must find one.
    The costs of all turns together stay within `budget`, which is also the most that one of them counts. Work that
    does not fit lets others pass that fit beside it, so that it is not passed for ever.

    `spare` work has a turn while no other work fits, and leaves the others one slot if there are several.
    """

    def __init__(self, *, slots: int, budget: int, per_member: int = 1) -> None:
        self._slots = slots
        self._budget = budget
        self._per_member = per_member
        self._waiting: list[_Waiter] = []
        self._running: list[_Waiter] = []
        self._served: dict[int, int] = {}
        self._numbers = itertools.count(1)

    @property
    def waiting(self) -> int:
        """Number of turns waited for."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(
        self, member: int, cost: int = 0, *, first: bool = False, spare: bool = False
    ) -> AsyncIterator[None]:
        """Wait for a turn of the member and hold it inside this context.

        `first`: before the member's other work. `spare`: after everybody's other work.
        """
        granted = asyncio.get_running_loop().create_future()
        waiter = _Waiter(member=member, cost=min(cost, self._budget), first=first, spare=spare, granted=granted)
        self._waiting.append(waiter)
        self._grant()
        try:
            await waiter.granted
            yield
        finally:
            (self._running if waiter in self._running else self._waiting).remove(waiter)
            self._grant()
            if not self._running:
                self._served.clear()

    def _grant(self) -> None:
        while (waiter := self._next()) is not None:
            self._waiting.remove(waiter)
            self._running.append(waiter)
            self._served[waiter.member] = next(self._numbers)
            waiter.granted.set_result(None)

    def _next(self) -> _Waiter | None:
        """Return the next waiter; None if nobody's work fits."""
        if len(self._running) >= self._slots:
            return None
        free = self._budget - sum(waiter.cost for waiter in self._running)
        reserved = 0
        spare_slots = max(1, self._slots - 1) - sum(waiter.spare for waiter in self._running)
        for waiter in sorted(self._heads(), key=lambda waiter: (waiter.spare, self._served.get(waiter.member, 0))):
            if waiter.spare and not spare_slots:
                return None
            if waiter.cost <= free and waiter.cost + reserved <= self._budget:
                return waiter
            reserved = max(reserved, waiter.cost)
        return None

    def _heads(self) -> list[_Waiter]:
        """Return the first waiter of each member with a turn left, oldest first."""
        running = [waiter.member for waiter in self._running]
        heads: dict[int, _Waiter] = {}
        for waiter in sorted(self._waiting, key=lambda waiter: (waiter.spare, not waiter.first)):
            if not waiter.granted.done() and running.count(waiter.member) < self._per_member:
                heads.setdefault(waiter.member, waiter)
        return list(heads.values())
