"""A clock that only a test moves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


class ManualClock:
    """Implements `bot.engine.clock.Clock`; time passes by `advance` alone."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self._alarms: list[tuple[float, asyncio.Task[bool]]] = []

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._monotonic

    @property
    def next_alarm(self) -> float | None:
        """The seconds until the first of those who wait has waited long enough; None when nobody waits for a time."""
        return min((due - self._monotonic for due, _ in self._alarms), default=None)

    def advance(self, seconds: float) -> None:
        """Let time pass; whoever has waited long enough goes on at the loop's next turn."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
        for due, waiter in self._alarms:
            if due <= self._monotonic:
                waiter.cancel()

    def set_now(self, now: datetime) -> None:
        """Set the wall clock, as an administrator would: what is waited for is not affected."""
        self._now = now

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set or the seconds have passed (None: only when it is set)."""
        if seconds is None:
            await event.wait()
            return
        waiter = asyncio.create_task(event.wait())
        alarm = (self._monotonic + seconds, waiter)
        self._alarms.append(alarm)
        if seconds <= 0:
            waiter.cancel()
        try:
            await asyncio.wait({waiter})
        finally:
            self._alarms.remove(alarm)
            waiter.cancel()


async def let_others_run(turns: int = 20) -> None:
    """Give the loop some turns, so that everything that can go on without time or outside events has gone on."""
    for _ in range(turns):
        await asyncio.sleep(0)
