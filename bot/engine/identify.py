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
from db.facts import FactRepository
from db.locks import IDENTIFYING, in_turn

_FACT: Final = "next identify"
# Discord's window is five seconds; the clocks of several machines are never quite the same.
_PAUSE: Final = timedelta(seconds=6)
# A booking further ahead was made by a clock that was wrong.
_LONGEST_LINE: Final = timedelta(minutes=10)


class IdentifyTurns:
    """Hands out turns, one at a time."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def wait(self) -> None:
        """Return when it is this process's turn."""
        now = self._clock.now()
        turn = await self._database.write(lambda connection: _book(connection, now))
        await self._clock.wait(asyncio.Event(), (turn - now).total_seconds())


def _book(connection: Connection, now: datetime) -> datetime:
    in_turn(connection, IDENTIFYING)
    facts = FactRepository(connection)
    booked = facts.find(_FACT)
    free = now if booked is None else datetime.fromisoformat(booked)
    turn = max(now, free) if free - now < _LONGEST_LINE else now
    facts.save(_FACT, (turn + _PAUSE).isoformat())
    return turn
