"""Checks of an earlier job as the source of a new one."""

from sqlalchemy import Connection

from bot.domain.errors import (
    DuelOpenError,
    JobDeletedError,
    NotAllowedError,
    PicturesHiddenError,
    SubmissionNotFoundError,
    SubmissionStateError,
)
from bot.domain.jobs import Job, Origin
from bot.domain.lazy_text import LazyText
from bot.domain.sharing.submissions import Submission, SubmissionState
from db.challenges import ChallengeRepository
from db.duels import DuelRepository
from db.jobs import JobRepository
from db.reports import ReportRepository
from db.submissions import SubmissionRepository
from db.takedowns import TakedownRepository


def is_hidden(connection: Connection, job_id: str) -> bool:
    """Return whether nobody may see or use a job's pictures now.

    So it is until the moderators decide about reports, and until a takedown is carried out.
    """
    return ReportRepository(connection).is_hidden(job_id) or TakedownRepository(connection).is_pending(job_id)


def check_usable(connection: Connection, job: Job) -> None:
    """Check that a job's pictures may be used now, by its member too.

    What is made from them would show them, or the model of a duel, in the channel.

    Raises:
        PicturesHiddenError: the pictures are hidden after reports.
        DuelOpenError: the job is in a duel before its end.
    """
    if is_hidden(connection, job.id):
        raise PicturesHiddenError
    duel = None if job.duel_id is None else DuelRepository(connection).find_unended(job.duel_id)
    if duel is not None:
        raise DuelOpenError(duel.ends_at)


def require_post(connection: Connection, submission_id: str, guild_id: int, *, lock: bool = False) -> Submission:
    """Return a submission in a guild's showcase.

    Entries of challenges are not: their pictures have no post. `lock` locks its row.

    Raises:
        SubmissionNotFoundError: the guild has no such submission.
        SubmissionStateError: it is not in the showcase.
    """
    submission = SubmissionRepository(connection).get(submission_id, lock=lock)
    if submission.guild_id != guild_id or ChallengeRepository(connection).find_of(submission_id) is not None:
        raise SubmissionNotFoundError
    if submission.state is not SubmissionState.APPROVED:
        raise SubmissionStateError(submission.state, SubmissionState.APPROVED)
    return submission


def check_source(connection: Connection, job: Job) -> None:
    """Check that a new job may still start from its origin and its pictures.

    Its member may have been asked for the price before, and answers up to a day later. *Again* on an edit has the
    pictures before it, which are other jobs'.

    Raises:
        JobDeletedError: the origin was deleted.
        NotAllowedError: the origin is another member's private job.
        SubmissionNotFoundError: the guild has no such post.
        SubmissionStateError: the post left the showcase.
        PicturesHiddenError, DuelOpenError: see `check_usable`.
    """
    checked = _check_origin(connection, job, job.origin) if job.origin is not None else None
    parents = {each.parent.job_id for each in job.request.inputs if each.parent is not None}
    for job_id in sorted(parents - {checked}):
        parent = JobRepository(connection).find(job_id)
        if parent is not None:
            check_usable(connection, parent)


def _check_origin(connection: Connection, job: Job, origin: Origin) -> str:
    """Check a job's origin; return the id of its job."""
    if origin.submission_id is not None:
        require_post(connection, origin.submission_id, job.place.guild_id)
    source = JobRepository(connection).find(origin.job_id)
    if source is None:
        return origin.job_id  # its records are gone; files that are gone are found by `require_files`
    if source.deleted_at is not None:
        raise JobDeletedError
    if origin.submission_id is None and source.is_private and source.place.member_id != job.place.member_id:
        raise NotAllowedError(LazyText("its member"))
    check_usable(connection, source)
    return origin.job_id
