"""Cards and deliveries of jobs, recorded in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.jobs import Delivery, Job, State
from bot.domain.preferences import Notice
from bot.engine.clock import Clock
from bot.engine.direct_messages import next_direct_message, wait_until
from db.batches import Batch
from db.cards import CardRepository, DeliveredJob, PostedCard
from db.database import Database
from db.jobs import JobRepository
from db.locks import PLANNING_DIRECT_MESSAGES, advisory_lock
from db.preferences import PreferenceRepository

NOTICE_FROM: Final = timedelta(seconds=5)
"""Duration from which a job's end is worth a message: a member still looks at the card of a shorter one."""
FIRST_JOBS: Final = 3
"""Finished jobs after which a member is given the first-use hint at the latest."""

_NOTICED: Final = (State.DONE, State.FAILED, State.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectTurn:
    """Permission for a direct message in `wait` seconds.

    `is_first` is False if it may have been sent before.
    """

    is_first: bool
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeTurn:
    """Permission for a notice of a finished job in `wait` seconds.

    `is_first` is False if the message may have been sent before.
    """

    notice: Notice
    is_first: bool
    wait: float = 0.0


class CardStore:
    """Records each job's card, its delivery and its direct message."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cards = Batch(database, _acknowledge_all)
        self._deliveries = Batch(database, _deliver_all)

    async def mark_acknowledged(self, job_id: str, message_id: int | None, *, private: bool | None = None) -> bool:
        """Record the job's card; return whether inputs must be downloaded first.

        The job may be submitted from now on. `private` is Discord's word on the card; None if unknown.
        """
        card = PostedCard(job_id=job_id, message_id=message_id, at=self._clock.now(), private=private)
        return not await self._cards.run(card)

    async def mark_delivered(self, job_id: str, delivery: Delivery = Delivery.CARD) -> None:
        """Record the delivery of the job's end, and its channel."""
        await self._deliveries.run(DeliveredJob(job_id=job_id, at=self._clock.now(), delivery=delivery))

    async def begin_direct_message(self, job_id: str) -> DirectTurn | None:
        """Record the intent to send a direct message, and its time.

        Direct messages keep a distance, because Discord flags bots that open many. None if an hour's are used up.
        """
        now = self._clock.now()

        def write(connection: Connection) -> DirectTurn | None:
            advisory_lock(connection, PLANNING_DIRECT_MESSAGES)
            planned = JobRepository(connection).get(job_id).direct_at
            if planned is not None:
                return DirectTurn(is_first=False, wait=wait_until(planned, now))
            at = next_direct_message(connection, now)
            if at is None:
                return None
            CardRepository(connection).set_direct(job_id, at)
            return DirectTurn(is_first=True, wait=(at - now).total_seconds())

        return await self._database.write(write)

    async def begin_notice(self, ended: Job) -> NoticeTurn | None:
        """Record the intent to send an ended job's notice, and its time.

        None if the member wants no message, or if an hour's direct messages are used up.
        """
        job_id = ended.id
        if ended.notice is None and not _took_long(ended):
            return None  # most jobs: nothing to read
        if await self._database.read(lambda connection: _notice(connection, job_id)) is None:
            return None  # no turn in the queue of writers
        now = self._clock.now()

        def write(connection: Connection) -> NoticeTurn | None:
            advisory_lock(connection, PLANNING_DIRECT_MESSAGES)
            job, notice = JobRepository(connection).get(job_id), _notice(connection, job_id)
            if notice is None:
                return None
            if job.notice_at is not None:
                return NoticeTurn(notice=notice, is_first=False, wait=wait_until(job.notice_at, now))
            at = next_direct_message(connection, now) if notice is Notice.DIRECT else now
            if at is None:
                return None
            CardRepository(connection).set_notice(job_id, notice, at)
            return NoticeTurn(notice=notice, is_first=True, wait=(at - now).total_seconds())

        return await self._database.write(write)

    async def begin_first_hint(self, job: Job) -> bool:
        """Record the first-use hint of a finished job's member.

        False if they had it, or made pictures before there was one.
        """
        member = job.place.member_id
        if job.state is not State.DONE or not await self._database.read(
            lambda connection: _is_newcomer(connection, member)
        ):
            return False  # most jobs: no turn in the queue of writers
        now = self._clock.now()
        return await self._database.write(lambda connection: PreferenceRepository(connection).mark_hinted(member, now))


def _acknowledge_all(connection: Connection, cards: Sequence[PostedCard]) -> list[bool]:
    """Return whether each card's job is queued now; True without a job."""
    queued = CardRepository(connection).set_acknowledged(cards)
    return [queued.get(each.job_id, True) for each in cards]


def _deliver_all(connection: Connection, deliveries: Sequence[DeliveredJob]) -> list[None]:
    CardRepository(connection).set_delivered(deliveries)
    return [None] * len(deliveries)


def _is_newcomer(connection: Connection, member_id: int) -> bool:
    """Return whether a member has few pictures and had no hint."""
    if PreferenceRepository(connection).was_hinted(member_id):
        return False
    return JobRepository(connection).count_done(member_id, FIRST_JOBS + 1) <= FIRST_JOBS


def _notice(connection: Connection, job_id: str) -> Notice | None:
    """Return the notice due for a job, or None."""
    job = JobRepository(connection).get(job_id)
    if job.notice is not None:
        return job.notice
    if job.deleted_at is not None or not _took_long(job):
        return None
    wanted = PreferenceRepository(connection).get(job.place.member_id).notice
    # A mention in the channel would show the others that there is a private card.
    in_channel = job.place.guild_id != 0 and not job.place.private
    return None if wanted is Notice.OFF or (wanted is Notice.PING and not in_channel) else wanted


def _took_long(job: Job) -> bool:
    return job.state in _NOTICED and job.finished_at is not None and job.finished_at - job.created_at >= NOTICE_FROM
