"""A manual clock for tests."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

START: Final = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


class ManualClock:
    """A `bot.engine.clock.Clock` moved only by `advance`."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self._alarms: list[tuple[float, asyncio.Task[bool]]] = []
        self._waiting: dict[asyncio.Task[Any] | None, tuple[asyncio.Event, float]] = {}

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return self._now

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return self._monotonic

    @property
    def next_alarm(self) -> float | None:
        """Return the seconds until the first timed wait ends; None without any."""
        return min((due - self._monotonic for due, _ in self._alarms), default=None)

    def holds(self, task: asyncio.Task[Any]) -> bool:
        """Return whether a task waits here, with neither event nor time reached."""
        event, due = self._waiting.get(task, (None, 0.0))
        return event is not None and not event.is_set() and due > self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass; due waits end at the loop's next turn."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
        for due, waiter in self._alarms:
            if due <= self._monotonic:
                waiter.cancel()

    def set_now(self, now: datetime) -> None:
        """Set the wall clock, as an administrator would; waits are unaffected."""
        self._now = now

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set or the seconds have passed.

        Without seconds, only the event counts.
        """
        me = asyncio.current_task()
        self._waiting[me] = (event, math.inf if seconds is None else self._monotonic + seconds)
        try:
            await (event.wait() if seconds is None else self._wait_until(event, self._monotonic + seconds))
        finally:
            del self._waiting[me]

    async def _wait_until(self, event: asyncio.Event, due: float) -> None:
        waiter = asyncio.create_task(event.wait())
        alarm = (due, waiter)
        self._alarms.append(alarm)
        if due <= self._monotonic:
            waiter.cancel()
        try:
            await asyncio.wait({waiter})
        finally:
            self._alarms.remove(alarm)
            waiter.cancel()


class AwaitedClock(ManualClock):
    """A manual clock with an event for the first wait."""

    def __init__(self, now: datetime = START) -> None:
        super().__init__(now)
        self.waiting = asyncio.Event()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set or the seconds have passed."""
        self.waiting.set()
        await super().wait(event, seconds)


async def let_others_run(turns: int = 20) -> None:
    """Yield to the loop until all ready tasks have run."""
    for _ in range(turns):
        await asyncio.sleep(0)
