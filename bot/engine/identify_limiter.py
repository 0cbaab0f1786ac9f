"""Rate limit of IDENTIFY across processes.

Discord lets a bot log in to its gateway about once in five seconds. Each process reserves the next free
moment in the database and waits for it. A lock would be held meanwhile; a process that dies after its
reservation delays the others by no more than its slot.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.engine.clock import Clock
from db.database import Database
from db.key_value import KeyValueRepository
from db.locks import IDENTIFYING, advisory_lock

_KEY: Final = "next identify"
# Discord's window is five seconds; the clocks of several machines differ a little.
_PAUSE: Final = timedelta(seconds=6)
# A waiting process has an open gateway connection and sends no heartbeats: longer reservations would lose it.
_LONGEST_WAIT: Final = timedelta(seconds=20)
_TRY_AGAIN_SECONDS: Final = 3.0


class IdentifyRateLimiter:
    """Hands out moments for IDENTIFY, one at a time."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def wait(self) -> None:
        """Return at this process's moment."""
        while True:
            now = self._clock.now()
            reserved_at = await self._database.write(lambda connection, now=now: _reserve(connection, now))  # type: ignore[misc]
            wait = _TRY_AGAIN_SECONDS if reserved_at is None else (reserved_at - now).total_seconds()
            await self._clock.wait(asyncio.Event(), wait)
            if reserved_at is not None:
                return


def _reserve(connection: Connection, now: datetime) -> datetime | None:
    """Return the reserved moment; None if it would be too far ahead."""
    advisory_lock(connection, IDENTIFYING)
    values = KeyValueRepository(connection)
    reserved = values.find(_KEY)
    free = now if reserved is None else datetime.fromisoformat(reserved)
    if free - now > _LONGEST_WAIT + 2 * _PAUSE:
        free = now  # no reservation is so far ahead: some clock was wrong
    if free - now > _LONGEST_WAIT:
        return None
    reserved_at = max(now, free)
    values.save(_KEY, (reserved_at + _PAUSE).isoformat())
    return reserved_at
