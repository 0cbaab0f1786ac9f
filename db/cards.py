"""Cards, deliveries and notices of jobs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from bot.domain.jobs import LIVE, Delivery
from bot.domain.preferences import Notice
from db.dialects import padded
from db.many_rows import ManyUpdates
from db.tables import jobs

# The first time stays; a message id that arrives later is still added.
_ACKNOWLEDGE: Final = ManyUpdates(
    jobs,
    {"the_id": jobs.c.id, "at": jobs.c.acknowledged_at, "the_message": jobs.c.message_id, "is_private": jobs.c.private},
    lambda given: (jobs.c.id == given["the_id"],),
    lambda given: {
        "acknowledged_at": func.coalesce(jobs.c.acknowledged_at, given["at"]),
        "message_id": func.coalesce(jobs.c.message_id, given["the_message"]),
        "private": func.coalesce(given["is_private"], jobs.c.private),
    },
)
_ARE_PREPARED: Final = select(jobs.c.id, jobs.c.prepared).where(jobs.c.id.in_(bindparam("the_ids", expanding=True)))
_DELIVER: Final = ManyUpdates(
    jobs, {"the_id": jobs.c.id}, lambda given: (jobs.c.id == given["the_id"], jobs.c.delivered_at.is_(None))
)
_DIRECT: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.direct_at.is_(None))
_DIRECT_SINCE: Final = select(func.count(), func.max(jobs.c.direct_at)).where(jobs.c.direct_at > bindparam("since"))
_NOTICE: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.notice_at.is_(None))
_DIRECT_NOTICES_SINCE: Final = select(func.count(), func.max(jobs.c.notice_at)).where(
    jobs.c.notice_at > bindparam("since"), jobs.c.notice == Notice.DIRECT
)
_ON_MESSAGE: Final = select(jobs.c.id).where(
    jobs.c.finished_at.is_(None), jobs.c.state.in_(LIVE), jobs.c.message_id == bindparam("the_message")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedCard:
    """A job's card on Discord, by its message if known.

    `private` is Discord's word on the card; None if unknown.
    """

    job_id: str
    message_id: int | None
    at: datetime
    private: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredJob:
    """A job with a delivered result."""

    job_id: str
    at: datetime
    delivery: Delivery = Delivery.CARD


class CardRepository:
    """Cards of jobs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set_acknowledged(self, cards: Sequence[PostedCard]) -> dict[str, bool]:
        """Record the appearance of cards on Discord.

        Of several cards of a job, the first time and message count, and the last word on its privacy. Return, by job,
        whether it is queued now; False if inputs must be fetched before.
        """
        by_job: dict[str, PostedCard] = {}
        for each in cards:
            by_job[each.job_id] = _merged(by_job.get(each.job_id, each), each)
        _ACKNOWLEDGE.execute(
            self._connection,
            [
                {"the_id": each.job_id, "at": each.at, "the_message": each.message_id, "is_private": each.private}
                for each in sorted(by_job.values(), key=_job_id)
            ],
        )
        rows = self._connection.execute(_ARE_PREPARED, {"the_ids": padded(by_job)})
        return {row.id: row.prepared for row in rows}

    def has_live_on(self, message_id: int) -> bool:
        """Return whether a message is the card of a job that has not ended."""
        return self._connection.execute(_ON_MESSAGE, {"the_message": message_id}).first() is not None

    def set_delivered(self, deliveries: Sequence[DeliveredJob]) -> None:
        """Record how and when results were delivered; the first record stays."""
        _DELIVER.execute(
            self._connection,
            [
                {"the_id": each.job_id, "delivered_at": each.at, "delivery": each.delivery}
                for each in sorted({each.job_id: each for each in reversed(deliveries)}.values(), key=_job_id)
            ],
        )

    def set_direct(self, job_id: str, at: datetime) -> None:
        """Record the time of a direct message; the first record stays."""
        self._connection.execute(_DIRECT, {"the_id": job_id, "direct_at": at})

    def direct_messages_since(self, since: datetime) -> tuple[int, datetime | None]:
        """Return the number of direct messages since then, and the last time.

        Planned ones and notices count.
        """
        number, last = self._connection.execute(_DIRECT_SINCE, {"since": since}).one()
        notices, last_notice = self._connection.execute(_DIRECT_NOTICES_SINCE, {"since": since}).one()
        return number + notices, max((at for at in (last, last_notice) if at is not None), default=None)

    def set_notice(self, job_id: str, notice: Notice, at: datetime) -> None:
        """Record a notice and its time; the first record stays."""
        self._connection.execute(_NOTICE, {"the_id": job_id, "notice": notice, "notice_at": at})

    def set_public(self, job_id: str, at: datetime) -> None:
        """Record the intent to show a private job to all; the first record stays."""
        self._connection.execute(
            update(jobs).where(jobs.c.id == job_id, jobs.c.public_at.is_(None)).values(public_at=at)
        )

    def set_public_message(self, job_id: str, message_id: int) -> None:
        """Record the public card of a private job."""
        self._connection.execute(update(jobs).where(jobs.c.id == job_id).values(public_message_id=message_id))

    def withdraw_public(self, job_id: str) -> None:
        """Forget the intent to show a private job to all, if there is no message."""
        unsent = jobs.c.public_message_id.is_(None)
        self._connection.execute(update(jobs).where(jobs.c.id == job_id, unsent).values(public_at=None))

    def erase_tokens(self, created_before: datetime) -> None:
        """Erase the expired interaction tokens of older jobs: they are secrets."""
        self._connection.execute(
            update(jobs).where(jobs.c.token.is_not(None), jobs.c.created_at < created_before).values(token=None)
        )


def _merged(one: PostedCard, other: PostedCard) -> PostedCard:
    """Return a job's card with the first message and the last privacy."""
    return replace(
        one,
        message_id=other.message_id if one.message_id is None else one.message_id,
        private=one.private if other.private is None else other.private,
    )


def _job_id(event: PostedCard | DeliveredJob) -> str:
    """Return the place of an event's job in the order of locks."""
    return event.job_id
