"""Turns for IDENTIFY across processes: Discord lets a bot log in to its gateway about once in five seconds.

Each process books the next free moment in the database and waits for it. Unlike a lock that is held meanwhile, a
process that dies or hangs after booking keeps nobody waiting for longer than its own turn.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.engine.clock import Clock
from db.database import Database
from db.key_value import KeyValueRepository
from db.locks import IDENTIFYING, advisory_lock

_FACT: Final = "next identify"
# Discord's window is five seconds; the clocks of several machines are never quite the same.
_PAUSE: Final = timedelta(seconds=6)
# Whoever waits has said hello to the gateway already and is heard no more: nobody may book further ahead than this.
_FURTHEST: Final = timedelta(seconds=20)
_TRY_AGAIN_SECONDS: Final = 3.0


class IdentifyRateLimiter:
    """Hands out turns, one at a time."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def wait(self) -> None:
        """Return when it is this process's turn."""
        while True:
            now = self._clock.now()
            turn = await self._database.write(lambda connection, now=now: _book(connection, now))  # type: ignore[misc]
            wait = _TRY_AGAIN_SECONDS if turn is None else (turn - now).total_seconds()
            await self._clock.wait(asyncio.Event(), wait)
            if turn is not None:
                return


def _book(connection: Connection, now: datetime) -> datetime | None:
    """Return the moment that was booked; None where the line is too long to book now."""
    advisory_lock(connection, IDENTIFYING)
    facts = KeyValueRepository(connection)
    booked = facts.find(_FACT)
    free = now if booked is None else datetime.fromisoformat(booked)
    if free - now > _FURTHEST + 2 * _PAUSE:
        free = now  # nobody books so far ahead: it was a clock that is wrong
    if free - now > _FURTHEST:
        return None
    turn = max(now, free)
    facts.save(_FACT, (turn + _PAUSE).isoformat())
    return turn
