"""This worker's lease and the jobs it owns, in the database."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.jobs import Job
from bot.engine.clock import Clock
from bot.engine.lease import Lease
from db.database import Database
from db.job_owners import JobOwnerRepository
from db.workers import WorkerRepository

TAKE_OVER_BATCH: Final = 1_000
"""Jobs that one transaction takes over: far fewer than fit into its time limit."""


class WorkerStore:
    """Lease and ownership of jobs. Each method is one transaction."""

    def __init__(self, *, database: Database, clock: Clock, lease: Lease) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease

    async def renew_lease(self) -> None:
        """Renew this worker's lease and end expired leases of others.

        The jobs of an ended lease belong to no worker.
        """
        now, began = self._clock.now(), self._clock.monotonic()
        lease = self._lease

        def write(connection: Connection) -> dict[str, datetime]:
            workers = WorkerRepository(connection)
            workers.renew(lease.worker_id, now, now + lease.duration)
            others = workers.list_others(lease.worker_id)
            workers.delete_expired(others if lease.is_alone else lease.find_expired(others, began, now))
            return others

        lease.record_renewal(began, await self._database.write(write))

    async def release_lease(self) -> None:
        """Give up the lease and all jobs: this worker ends."""
        await self._database.write(lambda connection: WorkerRepository(connection).remove(self._lease.worker_id))

    async def take_over(self) -> tuple[Job, ...]:
        """Take up to `TAKE_OVER_BATCH` jobs without a worker.

        The batch is limited so that other writes fit in between.
        """
        return await self._database.write(
            lambda connection: JobOwnerRepository(connection).take_over(self._lease.worker_id, TAKE_OVER_BATCH)
        )

    async def adopt(self, job_id: str) -> bool:
        """Take one job from another worker; return whether it changed hands.

        The job's state must allow it.
        """
        return await self._database.write(
            lambda connection: JobOwnerRepository(connection).adopt(job_id, self._lease.worker_id)
        )

    async def list_owned(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return ids of this worker's live jobs, and of undelivered ended ones."""
        return await self._database.read(
            lambda connection: JobOwnerRepository(connection).list_owned(self._lease.worker_id)
        )

    async def list_held(self, model: str) -> tuple[str, ...]:
        """Return the ids of this worker's jobs in HELD for a model."""
        return await self._database.read(
            lambda connection: JobOwnerRepository(connection).list_held(self._lease.worker_id, model)
        )

    async def list_submitting(self) -> tuple[str, ...]:
        """Return the ids of this worker's jobs in SUBMITTING."""
        return await self._database.read(
            lambda connection: JobOwnerRepository(connection).list_submitting(self._lease.worker_id)
        )
