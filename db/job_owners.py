"""Ownership of jobs by workers."""

from typing import Final

from sqlalchemy import Connection, bindparam, or_, select, update

from bot.domain.jobs import Job, State
from db.job_rows import read_jobs
from db.jobs import HELD
from db.tables import jobs, workers

# These may be taken over from a live process: whatever that process is doing for them may be done twice.
_ADOPTABLE: Final = (State.HELD, State.UNKNOWN, State.QUEUED, State.RUNNING)
_OWNED: Final = select(jobs.c.id, jobs.c.finished_at.is_(None).label("live")).where(
    jobs.c.owner == bindparam("of_worker"), jobs.c.delivered_at.is_(None)
)
_SUBMITTING: Final = select(jobs.c.id).where(
    jobs.c.owner == bindparam("of_worker"), jobs.c.delivered_at.is_(None), jobs.c.state == State.SUBMITTING
)
_OWNERLESS: Final = (
    jobs.c.delivered_at.is_(None),
    or_(jobs.c.owner.is_(None), jobs.c.owner.not_in(select(workers.c.id))),
)
# The condition is repeated outside, because the second of two concurrent take-overs must check the row again.
_TAKE_OVER: Final = (
    update(jobs)
    .where(*_OWNERLESS, jobs.c.id.in_(select(jobs.c.id).where(*_OWNERLESS).limit(bindparam("most")).correlate(None)))
    .values(owner=bindparam("to_worker"), fence=jobs.c.fence + 1)
    .returning(jobs)
)
_ADOPT: Final = (
    update(jobs)
    .where(jobs.c.id == bindparam("the_id"), jobs.c.state.in_(_ADOPTABLE))
    .where(or_(jobs.c.owner.is_(None), jobs.c.owner != bindparam("to_worker")))
    .values(owner=bindparam("to_worker"), fence=jobs.c.fence + 1)
)


class JobOwnerRepository:
    """Owners of jobs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_over(self, worker_id: str, most: int) -> tuple[Job, ...]:
        """Give a worker up to `most` undelivered jobs of dead workers.

        A worker without a row is dead. The jobs' fence is raised, so that the earlier owner is rejected if it wakes
        up.
        """
        rows = self._connection.execute(_TAKE_OVER, {"to_worker": worker_id, "most": most}).all()
        return tuple(sorted(read_jobs(self._connection, rows), key=lambda job: (job.created_at, job.id)))

    def adopt(self, job_id: str, worker_id: str) -> bool:
        """Give a worker another worker's job if the job's state permits.

        Return whether it changed hands.
        """
        return self._connection.execute(_ADOPT, {"the_id": job_id, "to_worker": worker_id}).rowcount == 1

    def list_owned(self, worker_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the ids of a worker's live jobs and undelivered ended jobs."""
        rows = self._connection.execute(_OWNED, {"of_worker": worker_id}).all()
        return tuple(row.id for row in rows if row.live), tuple(row.id for row in rows if not row.live)

    def list_held(self, worker_id: str, model: str) -> tuple[str, ...]:
        """Return the ids of a worker's jobs in HELD for a model."""
        wanted = select(jobs.c.id).where(*HELD, jobs.c.owner == worker_id, jobs.c.model == model)
        return tuple(self._connection.execute(wanted).scalars())

    def list_submitting(self, worker_id: str) -> tuple[str, ...]:
        """Return the ids of a worker's jobs with a pending submit."""
        return tuple(self._connection.execute(_SUBMITTING, {"of_worker": worker_id}).scalars())
