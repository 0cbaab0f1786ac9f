"""Checks of ended jobs with an unknown provider outcome."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from bot.domain.jobs import Job, State
from db.job_rows import read_jobs
from db.tables import jobs, pictures

_RECONCILE: Final = select(jobs).where(jobs.c.reconcile_at <= bindparam("now")).limit(bindparam("most"))
_RECONCILE_LATER: Final = update(jobs).where(
    jobs.c.id == bindparam("the_id"), jobs.c.reconcile_at == bindparam("was_due")
)


class ReconciliationRepository:
    """Due checks of ended jobs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_due(self, now: datetime, limit: int) -> tuple[Job, ...]:
        """Return ended jobs with an unknown provider outcome, due for a check."""
        return read_jobs(self._connection, self._connection.execute(_RECONCILE, {"now": now, "most": limit}).all())

    def postpone(self, job: Job, at: datetime | None) -> bool:
        """Set the next check of an unknown outcome; None ends the checks.

        Return False if another process did so first.
        """
        changes = {"the_id": job.id, "was_due": job.reconcile_at, "reconcile_at": at}
        return self._connection.execute(_RECONCILE_LATER, changes).rowcount == 1

    def schedule(self, job_id: str, at: datetime | None) -> bool:
        """Check an ended job's outcome from `at` on; None ends the checks.

        Return False if the job is not failed or lost, already has images, or is deleted.
        """
        statement = update(jobs).where(
            jobs.c.id == job_id,
            jobs.c.state.in_((State.FAILED, State.LOST)),
            jobs.c.deleted_at.is_(None),
            jobs.c.id.not_in(select(pictures.c.job_id).where(pictures.c.job_id == job_id)),
        )
        return self._connection.execute(statement.values(reconcile_at=at)).rowcount == 1
