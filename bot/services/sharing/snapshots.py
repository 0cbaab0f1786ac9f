"""Snapshots of submissions for their messages."""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.guild_settings import GuildSettings
from bot.domain.images import ResultImage
from bot.domain.jobs import Job
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.sharing.challenges import Challenge
from bot.domain.sharing.settings import SharingSettings
from bot.domain.sharing.submissions import MemberRecord, Submission
from db.audit_log import AuditLogRepository
from db.challenges import ChallengeRepository
from db.database import Database
from db.guilds import GuildRepository
from db.jobs import JobRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.reports import ReportRepository
from db.sharing_settings import SharingSettingsRepository
from db.submissions import SubmissionRepository

_HISTORY: Final = ("share.ask", "share.resubmit")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSnapshot:
    """A submission with everything on its messages.

    `pictures` are the shared ones that are still kept. `record` is its member's in the server. `review` and `showcase`
    are its messages, None before they are due. `history` are the requests for changes and the resubmissions.
    `challenge` is the one that it is an entry of.
    """

    submission: Submission
    job: Job
    pictures: tuple[ResultImage, ...]
    record: MemberRecord
    guild: GuildSettings
    sharing: SharingSettings
    review: OutboxMessage | None
    showcase: OutboxMessage | None
    history: tuple[AuditEntry, ...] = ()
    challenge: Challenge | None = None


class SubmissionSnapshots:
    """Read access to submissions, each from one state of the database."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, submission_id: str) -> SubmissionSnapshot:
        """Return a snapshot.

        Raises:
            SubmissionNotFoundError: there is no such submission.
        """
        return await self._database.read(lambda connection: read_snapshot(connection, submission_id))

    async def list_of_member(
        self, guild_id: int, member_id: int, *, limit: int, before: str | None = None
    ) -> tuple[SubmissionSnapshot, ...]:
        """Return snapshots of a member's submissions in a server, latest first.

        `before` is the last id of the page before.
        """

        def read(connection: Connection) -> tuple[SubmissionSnapshot, ...]:
            found = SubmissionRepository(connection).list_of_member(guild_id, member_id, limit=limit, before=before)
            return tuple(read_snapshot(connection, each.id) for each in found)

        return await self._database.read(read)


def read_snapshot(connection: Connection, submission_id: str) -> SubmissionSnapshot:
    """Return a snapshot; raises as `SubmissionSnapshots.get`."""
    submissions, outbox = SubmissionRepository(connection), OutboxRepository(connection)
    submission = submissions.get(submission_id)
    pictures = ResultImageRepository(connection).list_for(submission.job_id)
    return SubmissionSnapshot(
        submission=submission,
        job=JobRepository(connection).get(submission.job_id),
        pictures=tuple(each for each in pictures if each.position in submission.positions),
        record=replace(
            submissions.record_of(submission.guild_id, submission.member_id),
            reports=ReportRepository(connection).count_about(submission.guild_id, submission.member_id),
        ),
        guild=GuildRepository(connection).settings(submission.guild_id),
        sharing=SharingSettingsRepository(connection).get(submission.guild_id),
        review=outbox.find(MessageKind.REVIEW, submission.id),
        showcase=outbox.find(MessageKind.SHOWCASE, submission.id),
        history=_history(connection, submission),
        challenge=ChallengeRepository(connection).get_of(submission.id),
    )


def _history(connection: Connection, submission: Submission) -> tuple[AuditEntry, ...]:
    """Return the entries of a changed submission, oldest first."""
    if submission.revision == 1:
        return ()
    entries = AuditLogRepository(connection).list_of_target(
        submission.guild_id, submission.member_id, actions=_HISTORY, since=submission.created_at
    )
    return tuple(each for each in entries if each.detail.get("submission") == submission.id)
