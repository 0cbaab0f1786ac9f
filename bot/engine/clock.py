"""The clock interface and the system clock."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stored values, monotonic time for waits."""

    def now(self) -> datetime:
        """Return the current time in UTC, with its time zone."""
        ...

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return once the event is set or the seconds have passed.

        None: only once the event is set.
        """
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC, with its time zone."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return once the event is set or the seconds have passed."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
