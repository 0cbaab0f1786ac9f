"""Cards and deliveries of jobs, recorded in the database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.jobs import Delivery
from bot.engine.clock import Clock
from db.database import Database
from db.jobs import JobRepository
from db.locks import PLANNING_DIRECT_MESSAGES, advisory_lock

MOST_DIRECT_PER_HOUR: Final = 30
DIRECT_PAUSE: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectTurn:
    """Permission for a direct message in `wait` seconds.

    `is_first` is False if it may have been sent before.
    """

    is_first: bool
    wait: float = 0.0


class CardStore:
    """Records each job's card, its delivery and its direct message."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def mark_acknowledged(self, job_id: str, message_id: int | None, *, private: bool | None = None) -> bool:
        """Record the job's card; return whether inputs must be downloaded first.

        The job may be submitted from now on. `private` is Discord's word on the card; None if unknown.
        """
        now = self._clock.now()
        prepared = await self._database.write(
            lambda connection: JobRepository(connection).set_acknowledged(job_id, message_id, now, private=private)
        )
        return not prepared

    async def mark_delivered(self, job_id: str, delivery: Delivery = Delivery.CARD) -> None:
        """Record the delivery of the job's end, and its channel."""
        now = self._clock.now()
        await self._database.write(lambda connection: JobRepository(connection).set_delivered(job_id, now, delivery))

    async def begin_direct_message(self, job_id: str) -> DirectTurn | None:
        """Record the intent to send a direct message, and its time.

        Direct messages keep a distance, because Discord flags bots that open many. None if an hour's are used up.
        """
        now = self._clock.now()

        def write(connection: Connection) -> DirectTurn | None:
            # Otherwise two processes would count the same messages and both add one.
            advisory_lock(connection, PLANNING_DIRECT_MESSAGES)
            jobs = JobRepository(connection)
            planned = jobs.get(job_id).direct_at
            if planned is not None:
                # A clock that was set back makes no message wait long.
                wait = min(planned - now, DIRECT_PAUSE * MOST_DIRECT_PER_HOUR)
                return DirectTurn(is_first=False, wait=max(0.0, wait.total_seconds()))
            number, last = jobs.direct_messages_since(now - timedelta(hours=1))
            if number >= MOST_DIRECT_PER_HOUR:
                return None
            at = now if last is None else max(now, last + DIRECT_PAUSE)
            jobs.set_direct(job_id, at)
            return DirectTurn(is_first=True, wait=(at - now).total_seconds())

        return await self._database.write(write)
