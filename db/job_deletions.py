"""Deletion of single jobs: their pictures go, their words later."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from db.file_references import referenced_hashes
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.reports import close_reports
from db.submissions import drop_shared, withdraw_shared
from db.tables import jobs

_BATCH: Final = 500
_UNDELETED: Final = select(jobs.c.id, jobs.c.finished_at).where(
    jobs.c.id.in_(bindparam("the_ids", expanding=True)), jobs.c.deleted_at.is_(None)
)


class JobDeletionRepository:
    """Deletions of single jobs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_undeleted(self, job_ids: Sequence[str]) -> dict[str, bool]:
        """Return the undeleted ones of these jobs, and whether each has ended."""
        rows = self._connection.execute(_UNDELETED, {"the_ids": list(job_ids)})
        return {row.id: row.finished_at is not None for row in rows}

    def count_undeleted(self, job_ids: Sequence[str]) -> int:
        """Return how many of these jobs are not deleted."""
        batches = (job_ids[start : start + _BATCH] for start in range(0, len(job_ids), _BATCH))
        return sum(len(self.list_undeleted(each)) for each in batches)

    def delete(self, job_id: str, requested_at: datetime, at: datetime) -> list[tuple[str, str]]:
        """Delete an ended job's images and inputs.

        Return the (sha256, media type) of files without another reference.
        """
        JobRepository(self._connection).set_deleted(job_id, requested_at)
        # In the order of a decision about reports: two orders could wait for each other.
        close_reports(self._connection, [job_id], at)
        withdraw_shared(self._connection, [job_id], at)
        files = ResultImageRepository(self._connection).remove_for(job_id, at)
        files |= InputImageRepository(self._connection).remove_for(job_id, at)
        needed = referenced_hashes(self._connection, [sha256 for sha256, _ in files]) if files else set()
        return [file for file in files if file[0] not in needed]

    def remove_pictures(self, job_id: str, positions: Collection[int], at: datetime) -> list[tuple[str, str]]:
        """Remove some of an ended job's images, also from its submissions.

        Return as `delete` does.
        """
        drop_shared(self._connection, job_id, positions, at)
        files = ResultImageRepository(self._connection).remove_some(job_id, positions, at)
        needed = referenced_hashes(self._connection, [sha256 for sha256, _ in files]) if files else set()
        return [file for file in files if file[0] not in needed]
