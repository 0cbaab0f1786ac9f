"""Watch over review queues: reminders and closed channels."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from bot.domain.outbox import MessageKind, OutboxEnd, guild_subject
from bot.domain.sharing.submissions import QueueSummary
from bot.engine.clock import Clock
from bot.engine.repeat import repeat
from bot.services.sharing.review_alerts import closed_key
from db.database import Database
from db.key_value import KeyValueRepository
from db.outbox import OutboxRepository
from db.sharing_settings import SharingSettingsRepository
from db.submissions import SubmissionRepository

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 60.0
_PROBE_AFTER: Final = timedelta(hours=1)
_CARDS_AFTER: Final = timedelta(minutes=10)
_CARDS_AT_ONCE: Final = 20
_HOUR: Final = 3600


class ReviewWatch:
    """Reminds moderators, and tries closed review channels again.

    A reminder is a message of the outbox whose number is its hour since 1970: several processes make it once. Of a
    closed channel only the queue's card is tried, once an hour; the other cards follow once that is posted.
    """

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def run(self) -> None:
        """Check all queues until cancelled."""
        await repeat(
            self.check,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("review.queues_not_checked"),
        )

    async def check(self) -> None:
        """Check every queue with entries, each in a transaction."""
        queues = await self._database.read(lambda connection: SubmissionRepository(connection).queues())
        for guild_id, summary in queues.items():
            try:
                await self._check_queue(guild_id, summary)
            except Exception:  # noqa: BLE001 - the others do not wait for one
                _log.exception("review.queue_not_checked", guild=guild_id)

    async def _check_queue(self, guild_id: int, summary: QueueSummary) -> None:
        """Check a queue. Most checks find nothing to do, and write nothing."""
        if await self._database.read(lambda connection: self._is_due(connection, guild_id, summary)):
            await self._database.write(lambda connection: self._check(connection, guild_id))

    def _is_due(self, connection: Connection, guild_id: int, summary: QueueSummary) -> bool:
        now = self._clock.now()
        return (
            _reminder_hour(connection, guild_id, summary, now) is not None
            or _needs_probe(connection, guild_id, now)
            or bool(_closed_cards(connection, guild_id, now))
            or _is_reopened(connection, guild_id)
        )

    def _check(self, connection: Connection, guild_id: int) -> None:
        now, outbox = self._clock.now(), OutboxRepository(connection)
        subject = guild_subject(guild_id)
        summary = SubmissionRepository(connection).queue(guild_id)
        # The cards first, then the queue's, as decisions do: two orders could wait for each other.
        outbox.refresh((MessageKind.REVIEW,), _closed_cards(connection, guild_id, now), now)
        hour = _reminder_hour(connection, guild_id, summary, now)
        if hour is not None:
            # The one before is deleted by its renderer, and its row with the next reminder.
            outbox.remove_ended(MessageKind.QUEUE, subject, OutboxEnd.DROPPED)
            outbox.refresh((MessageKind.QUEUE,), [subject], now)
            outbox.request_once(
                MessageKind.QUEUE, subject, new_id=self._new_id(), guild_id=guild_id, at=now, number=hour
            )
        if _needs_probe(connection, guild_id, now):
            outbox.request(MessageKind.QUEUE, subject, new_id=self._new_id(), guild_id=guild_id, at=now)
        if _is_reopened(connection, guild_id):
            KeyValueRepository(connection).delete(closed_key(guild_id))


def _reminder_hour(connection: Connection, guild_id: int, summary: QueueSummary, now: datetime) -> int | None:
    """Return the hour of a due reminder; None before that."""
    hours = SharingSettingsRepository(connection).get(guild_id).reminder_hours
    if not hours or summary.oldest is None or summary.oldest > now - timedelta(hours=hours):
        return None
    hour = int(now.timestamp()) // _HOUR
    sent = OutboxRepository(connection).list_numbers(MessageKind.QUEUE, guild_subject(guild_id))
    latest = max((each.number for each in sent), default=0)
    return hour if hour - latest >= hours else None


def _needs_probe(connection: Connection, guild_id: int, now: datetime) -> bool:
    """Return whether the queue's card must be tried again."""
    card = OutboxRepository(connection).find(MessageKind.QUEUE, guild_subject(guild_id))
    return card is None or (card.end is OutboxEnd.CLOSED and card.due_at <= now - _PROBE_AFTER)


def _is_open(connection: Connection, guild_id: int) -> bool:
    """Return whether the queue's card was posted last."""
    card = OutboxRepository(connection).find(MessageKind.QUEUE, guild_subject(guild_id))
    return card is not None and card.end is None and card.message_id is not None and card.wanted == card.shown


def _is_reopened(connection: Connection, guild_id: int) -> bool:
    """Return whether the channel works after an alert about it."""
    return _is_open(connection, guild_id) and KeyValueRepository(connection).find(closed_key(guild_id)) is not None


def _closed_cards(connection: Connection, guild_id: int, now: datetime) -> list[str]:
    """Return waiting submissions without a card, though the channel is open."""
    if not _is_open(connection, guild_id):
        return []
    before = now - _CARDS_AFTER
    closed = OutboxRepository(connection).list_closed(MessageKind.REVIEW, guild_id, before=before, limit=_CARDS_AT_ONCE)
    repository = SubmissionRepository(connection)
    return [each for each in closed if repository.get(each).state.awaits_review]
