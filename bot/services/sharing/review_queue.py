"""The review queue of a server, as its moderators see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.errors import NotAllowedError, SubmissionNotFoundError
from bot.domain.guild_settings import GuildSettings
from bot.domain.images import ResultImage
from bot.domain.jobs import Job
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind, OutboxMessage, guild_subject
from bot.domain.sharing.challenges import Challenge
from bot.domain.sharing.settings import SharingSettings
from bot.domain.sharing.submissions import QueueSummary, Submission
from bot.engine.clock import Clock
from bot.services.jobs import Actor
from db.challenges import ChallengeRepository
from db.database import Database
from db.guilds import GuildRepository
from db.jobs import JobRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.sharing_settings import SharingSettingsRepository
from db.submissions import SubmissionRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A submission in the queue, with its job, card and first picture.

    `picture` is None if none of the shared ones is kept. `claimed_by` is another moderator at work on it. `challenge`
    is the one that it is an entry of.
    """

    submission: Submission
    job: Job
    card: OutboxMessage | None
    picture: ResultImage | None = None
    claimed_by: int | None = None
    challenge: Challenge | None = None

    @property
    def is_age_restricted(self) -> bool:
        """True if age-restricted channels alone may show the picture."""
        return self.submission.is_age_restricted or self.job.age_restricted


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """A server's review queue and its first entries, longest waiting first.

    `latest_reminder` is the number of the latest reminder's message, 0 without one.
    """

    guild_id: int
    summary: QueueSummary
    entries: tuple[QueueEntry, ...]
    guild: GuildSettings
    sharing: SharingSettings
    latest_reminder: int = 0


class ReviewQueue:
    """Read access to review queues, each from one state of the database."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, guild_id: int, *, limit: int, viewer: Actor | None = None) -> QueueSnapshot:
        """Return a server's queue with its first entries.

        A `viewer` sees the claims of others.
        """
        now = self._clock.now()

        def read(connection: Connection) -> QueueSnapshot:
            waiting = SubmissionRepository(connection).list_awaiting_review(guild_id, limit=limit)
            return _snapshot(connection, guild_id, waiting, viewer, now)

        return await self._database.read(read)

    async def get_listed(self, actor: Actor, submission_ids: Sequence[str]) -> QueueSnapshot:
        """Return a queue with these submissions, also decided ones.

        Those of other servers, and unknown ones, are left out.

        Raises:
            NotAllowedError: the actor does not moderate the server.
        """
        if not actor.moderator:
            raise NotAllowedError(LazyText("a moderator"))
        now = self._clock.now()

        def read(connection: Connection) -> QueueSnapshot:
            found = []
            for each in submission_ids:
                try:
                    submission = SubmissionRepository(connection).get(each)
                except SubmissionNotFoundError:
                    continue
                if submission.guild_id == actor.guild_id:
                    found.append(submission)
            return _snapshot(connection, actor.guild_id, found, actor, now)

        return await self._database.read(read)


def _snapshot(
    connection: Connection, guild_id: int, listed: Sequence[Submission], viewer: Actor | None, now: datetime
) -> QueueSnapshot:
    jobs, outbox = JobRepository(connection), OutboxRepository(connection)
    kept = ResultImageRepository(connection).list_for_all([each.job_id for each in listed])
    return QueueSnapshot(
        guild_id=guild_id,
        summary=SubmissionRepository(connection).queue(guild_id),
        entries=tuple(
            QueueEntry(
                submission=each,
                job=jobs.get(each.job_id),
                card=outbox.find(MessageKind.REVIEW, each.id),
                picture=_first_shared(each, kept[each.job_id][0]),
                claimed_by=None if viewer is None else _other_claim(each, viewer, now),
                challenge=ChallengeRepository(connection).get_of(each.id),
            )
            for each in listed
        ),
        guild=GuildRepository(connection).settings(guild_id),
        sharing=SharingSettingsRepository(connection).get(guild_id),
        latest_reminder=max(
            (each.number for each in outbox.list_numbers(MessageKind.QUEUE, guild_subject(guild_id))), default=0
        ),
    )


def _other_claim(submission: Submission, viewer: Actor, now: datetime) -> int | None:
    return submission.claimed_by if submission.is_claimed_by_other(viewer.member_id, now) else None


def _first_shared(submission: Submission, kept: Sequence[ResultImage]) -> ResultImage | None:
    shared = [each for each in kept if each.position in submission.positions]
    return min(shared, key=lambda each: each.position, default=None)
