"""Notices of decisions: whether one is due, and when."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.errors import SubmissionNotFoundError
from bot.domain.outbox import OutboxMessage
from bot.domain.sharing.submissions import SubmissionState
from bot.engine.clock import Clock
from bot.engine.direct_messages import next_direct_message, wait_until
from bot.services.sharing.snapshots import SubmissionSnapshot, read_snapshot
from db.database import Database
from db.locks import PLANNING_DIRECT_MESSAGES, advisory_lock
from db.outbox import OutboxRepository
from db.preferences import PreferenceRepository

_SPARED: Final = 10
"""Direct messages of an hour that are left to pictures without a card."""
_POST_AWAITED: Final = timedelta(hours=1)
_POST_SECONDS: Final = 2.0
_LONGEST_POST_SECONDS: Final = 60.0
_FULL_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeTurn:
    """Permission for a notice in `wait` seconds.

    The submission may differ by then: the turn is asked for again.
    """

    snapshot: SubmissionSnapshot
    wait: float = 0.0


class NoticeService:
    """Decides about notices of decisions, each from one state of the database."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def plan(self, message: OutboxMessage) -> NoticeTurn | None:
        """Plan a notice; its number is the submission's revision.

        None if the submission moved on, its job is deleted, or its member wants no such message. An approval waits for
        its post in the showcase, so that its link is real. Notices share the distance of all direct messages.
        """
        now = self._clock.now()

        def read(connection: Connection) -> NoticeTurn | None:
            snapshot = _current(connection, message)
            if snapshot is None:
                return None
            if snapshot.submission.at + _POST_AWAITED > now and _awaits_post(snapshot):
                return NoticeTurn(snapshot=snapshot, wait=min(_POST_SECONDS * message.tries, _LONGEST_POST_SECONDS))
            wait = 0.0 if message.direct_at is None else wait_until(message.direct_at, now)
            return NoticeTurn(snapshot=snapshot, wait=wait)

        turn = await self._database.read(read)
        if turn is None or turn.wait or message.direct_at is not None or message.message_id is not None:
            return turn

        def write(connection: Connection) -> float:
            advisory_lock(connection, PLANNING_DIRECT_MESSAGES)
            at = next_direct_message(connection, now, spared=_SPARED)
            if at is None:
                return _FULL_SECONDS
            OutboxRepository(connection).set_direct(message.id, at)
            return wait_until(at, now)

        return NoticeTurn(snapshot=turn.snapshot, wait=await self._database.write(write))


def _current(connection: Connection, message: OutboxMessage) -> SubmissionSnapshot | None:
    try:
        snapshot = read_snapshot(connection, message.subject_id)
    except SubmissionNotFoundError:
        return None
    member_id = snapshot.submission.member_id
    # The ids of deleted members are pseudonyms below zero.
    if snapshot.submission.revision != message.number or snapshot.job.deleted_at is not None or member_id <= 0:
        return None
    return snapshot if PreferenceRepository(connection).get(member_id).decisions else None


def _awaits_post(snapshot: SubmissionSnapshot) -> bool:
    """Return whether an approved submission's post is still to come."""
    if snapshot.submission.state is not SubmissionState.APPROVED or snapshot.showcase is None:
        return False
    post = snapshot.showcase
    return post.message_id is None and post.end is None
