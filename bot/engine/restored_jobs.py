"""Jobs of a restored backup: none is submitted, charged or shown again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, Outcome, State
from bot.engine.job_endings import FIRST_RECONCILIATION, JobEndings, possible_cost
from db.attempts import AttemptRepository
from db.database import Database
from db.restored_jobs import RestoredJobRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJobs:
    """Numbers of jobs ended by a restore."""

    waiting: int
    at_provider: int


class RestoredJobs:
    """Ends the live jobs of a restored database.

    Their cards may have finished since the backup, so nothing is sent to Discord.
    """

    def __init__(self, *, database: Database, endings: JobEndings) -> None:
        self._database = database
        self._endings = endings

    async def end_all(self, now: datetime) -> EndedJobs:
        """End all live jobs and release their holds; close all deliveries.

        Waiting ones are cancelled. A provider may have the others, so their possible costs are booked, and the provider
        is asked for those with a handle.
        """

        def write(connection: Connection) -> EndedJobs:
            live = RestoredJobRepository(connection).list_live()
            waiting = [job for job in live if job.state is State.HELD]
            at_provider = [job for job in live if job.state is not State.HELD]
            for job in waiting:
                self._endings.end(connection, job, State.CANCELLED, now)
            for job in at_provider:
                self._give_up(connection, job, now)
            RestoredJobRepository(connection).close_deliveries(now)
            return EndedJobs(waiting=len(waiting), at_provider=len(at_provider))

        return await self._database.write(write)

    def _give_up(self, connection: Connection, job: Job, now: datetime) -> None:
        attempts = AttemptRepository(connection)
        batch = attempts.latest_batch(job.id)
        cost = possible_cost(job, batch, FaultKind.RESTORED)
        reconcile_at = now + FIRST_RECONCILIATION if any(call.handle is not None for call in batch) else None
        attempts.end_batch(job.id, Outcome.LOST, now, fault=FaultKind.RESTORED)
        self._endings.end(
            connection,
            job,
            State.FAILED,
            now,
            fault=FaultKind.RESTORED,
            reconcile_at=reconcile_at,
            possible_cost=cost,
        )
