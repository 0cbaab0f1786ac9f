"""Result images and their files in the store."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select, tuple_, update

from bot.domain.images import ImageFile, ResultImage
from bot.domain.outbox import MessageKind
from bot.domain.sharing.challenges import ChallengeState
from bot.domain.sharing.submissions import AWAITING_REVIEW, SubmissionState
from db.fingerprints import FingerprintRepository
from db.image_files import FILE_COLUMNS, file_from_row, file_to_columns
from db.many_rows import ManyInserts
from db.reports import HIDDEN_JOBS
from db.tables import (
    challenge_entries,
    challenges,
    jobs,
    outbox_messages,
    pictures,
    submission_pictures,
    submissions,
)

_COLUMNS = (
    pictures.c.job_id,
    pictures.c.position,
    *(pictures.c[name] for name in FILE_COLUMNS),
)

# Built once: building a statement costs several times as much as running it.
_INSERT: Final = ManyInserts(pictures)
_OF_JOB: Final = (
    select(*_COLUMNS)
    .where(pictures.c.job_id == bindparam("of_job"), pictures.c.removed_at.is_(None))
    .order_by(pictures.c.position)
)
_ALL_OF_JOB: Final = (
    select(*_COLUMNS, pictures.c.removed_at)
    .where(pictures.c.job_id == bindparam("of_job"))
    .order_by(pictures.c.position)
)
_ALL_OF_JOBS: Final = (
    select(*_COLUMNS, pictures.c.removed_at)
    .where(pictures.c.job_id.in_(bindparam("of_jobs", expanding=True)))
    .order_by(pictures.c.job_id, pictures.c.position)
)
_REMOVE_OF_JOB: Final = (
    update(pictures)
    .where(pictures.c.job_id == bindparam("of_job"), pictures.c.removed_at.is_(None))
    .returning(pictures.c.sha256, pictures.c.media_type)
)
_ERASE_FINGERPRINTS: Final = (
    update(pictures)
    .where(pictures.c.job_id == bindparam("of_job"), pictures.c.fingerprint.is_not(None))
    .values(fingerprint=None)
)
_COUNT_REMOVED: Final = (
    select(func.count())
    .select_from(pictures)
    .where(pictures.c.job_id == bindparam("of_job"), pictures.c.removed_at.is_not(None))
)


class ResultImageRepository:
    """Result images within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_all(self, new: Sequence[ResultImage], at: datetime) -> None:
        """Insert images stored at the same time."""
        self.add_stored([(each, at) for each in new])

    def add_stored(self, new: Sequence[tuple[ResultImage, datetime]]) -> None:
        """Insert images with the times of their storage."""
        if not new:
            return
        _INSERT.execute(
            self._connection,
            [
                {
                    "job_id": picture.job_id,
                    "position": picture.position,
                    **file_to_columns(picture.file),
                    "stored_at": at,
                    "fingerprint": picture.file.fingerprint,
                }
                for picture, at in new
            ],
        )
        FingerprintRepository(self._connection).add_all([picture for picture, _ in new])

    def list_fingerprints(self, job_id: str) -> list[tuple[str, str]]:
        """Return the hashes and fingerprints of a job's kept pictures."""
        kept = (pictures.c.job_id == job_id) & pictures.c.removed_at.is_(None) & pictures.c.fingerprint.is_not(None)
        rows = self._connection.execute(select(pictures.c.sha256, pictures.c.fingerprint).where(kept))
        return [(row.sha256, row.fingerprint) for row in rows]

    def list_for(self, job_id: str) -> tuple[ResultImage, ...]:
        """Return a job's kept images in order."""
        rows = self._connection.execute(_OF_JOB, {"of_job": job_id})
        return tuple(
            ResultImage(job_id=row.job_id, position=row.position, file=file_from_row(row._mapping)) for row in rows
        )

    def list_for_all(self, job_ids: Sequence[str]) -> dict[str, tuple[list[ResultImage], int]]:
        """Return the kept images of several jobs, and how many are removed."""
        found: dict[str, tuple[list[ResultImage], int]] = {each: ([], 0) for each in job_ids}
        for row in self._connection.execute(_ALL_OF_JOBS, {"of_jobs": job_ids}):
            kept, removed = found[row.job_id]
            if row.removed_at is None:
                kept.append(ResultImage(job_id=row.job_id, position=row.position, file=file_from_row(row._mapping)))
            found[row.job_id] = kept, removed + (row.removed_at is not None)
        return found

    def files_by_position(self, job_id: str) -> dict[int, ImageFile | None]:
        """Return a job's files by image position; None if no longer kept."""
        rows = self._connection.execute(_ALL_OF_JOB, {"of_job": job_id})
        return {row.position: None if row.removed_at is not None else file_from_row(row._mapping) for row in rows}

    def remove_for(self, job_id: str, at: datetime) -> set[tuple[str, str]]:
        """Mark a job's images as removed, and erase their fingerprints.

        Return the (sha256, media type) of those kept until now.
        """
        FingerprintRepository(self._connection).remove_for(job_id)
        self._connection.execute(_ERASE_FINGERPRINTS, {"of_job": job_id})
        removed = self._connection.execute(_REMOVE_OF_JOB, {"of_job": job_id, "removed_at": at})
        return {(row.sha256, row.media_type) for row in removed}

    def remove_some(self, job_id: str, positions: Collection[int], at: datetime) -> set[tuple[str, str]]:
        """Mark some of a job's images as removed, as `remove_for` does."""
        FingerprintRepository(self._connection).remove_for(job_id, positions)
        at_positions = pictures.c.position.in_(list(positions))
        self._connection.execute(_ERASE_FINGERPRINTS.where(at_positions), {"of_job": job_id})
        removed = self._connection.execute(_REMOVE_OF_JOB.where(at_positions), {"of_job": job_id, "removed_at": at})
        return {(row.sha256, row.media_type) for row in removed}

    def count_removed(self, job_id: str) -> int:
        """Return the number of a job's images removed after their retention."""
        return self._connection.execute(_COUNT_REMOVED, {"of_job": job_id}).scalar_one()

    def remove_stored_before(self, moment: datetime, at: datetime, limit: int) -> tuple[int, list[tuple[str, str]]]:
        """Mark up to `limit` images older than `moment` as removed.

        Those of submissions on their way to a showcase stay, and those hidden after reports: their cards may show them
        again.

        Return their number, and the (sha256, media type) of files that no kept image needs any more.
        """
        aged = self._connection.execute(
            select(pictures.c.job_id, pictures.c.position, pictures.c.sha256, pictures.c.media_type)
            # Images of an undelivered job are still needed, however old they are.
            .where(pictures.c.stored_at < moment, pictures.c.removed_at.is_(None))
            .where(pictures.c.job_id.not_in(select(jobs.c.id).where(jobs.c.delivered_at.is_(None))))
            .where(~_is_shared(moment), pictures.c.job_id.not_in(HIDDEN_JOBS))
            .order_by(pictures.c.stored_at)
            .limit(limit)
        ).all()
        if not aged:
            return 0, []
        keys = [(row.job_id, row.position) for row in aged]
        self._connection.execute(
            update(pictures).where(tuple_(pictures.c.job_id, pictures.c.position).in_(keys)).values(removed_at=at)
        )
        files = {row.sha256: row.media_type for row in aged}
        needed = self.list_kept(files)
        return len(aged), [(sha256, media) for sha256, media in files.items() if sha256 not in needed]

    def list_kept(self, hashes: Iterable[str], *, hold: bool = False) -> set[str]:
        """Return the hashes referred to by a kept image.

        `hold` locks those rows until the transaction ends.
        """
        statement = select(pictures.c.sha256).where(
            pictures.c.sha256.in_(list(hashes)), pictures.c.removed_at.is_(None)
        )
        return set(self._connection.execute(statement.with_for_update(read=True) if hold else statement).scalars())


def _is_shared(moment: datetime) -> ColumnElement[bool]:
    """Return the condition that a submission still needs an image.

    That is until the showcase has it, or its challenge ends. Changes that were asked for before `moment` are not
    expected any more.
    """
    post = outbox_messages.alias()
    posts = (post.c.subject_id == submissions.c.id) & (post.c.kind == MessageKind.SHOWCASE.value)
    entries = (challenge_entries.c.submission_id == submissions.c.id) & (
        challenge_entries.c.challenge_id == challenges.c.id
    )
    is_running = challenges.c.state.in_([each.value for each in (ChallengeState.OPEN, ChallengeState.VOTING)])
    is_needed = or_(
        exists().where(entries, is_running),
        submissions.c.state.in_([each.value for each in AWAITING_REVIEW]),
        (submissions.c.state == SubmissionState.CHANGES_ASKED.value) & (submissions.c.at >= moment),
        (submissions.c.state == SubmissionState.APPROVED.value) & exists().where(posts, post.c.wanted > post.c.shown),
    )
    return exists().where(
        submission_pictures.c.job_id == pictures.c.job_id,
        submission_pictures.c.position == pictures.c.position,
        submission_pictures.c.is_live,
        submission_pictures.c.submission_id == submissions.c.id,
        is_needed,
    )
