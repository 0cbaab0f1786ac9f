"""Snapshots of jobs for their cards: images, queue position, balance."""

import statistics
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.jobs import Job, Snapshot, State
from bot.domain.requests import GenerationRequest
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from db.database import Database
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.queue import QueueRepository

_MEASURED_JOBS = 50
_MIN_MEASURED_JOBS = 5
_DURATIONS_CACHE_SECONDS = 60.0
# Sorting a long queue takes time and every card in it asks for its position, so those positions are cached.
_LONG_QUEUE = 200
_POSITIONS_CACHE_SECONDS = 2.0


class JobSnapshotService:
    """Read access to snapshots, each from one state of the database.

    `hard_deadline` is in seconds.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        hard_deadline: float,
        waits_for_storage: Callable[[GenerationRequest], bool] = lambda _: False,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._hard_deadline = hard_deadline
        self._waits_for_storage = waits_for_storage
        self._usual: dict[str, tuple[float, tuple[int, int] | None]] = {}
        self._positions: tuple[float, dict[str, int]] = (float("-inf"), {})

    async def get(self, job_id: str) -> Snapshot:
        """Return a job's snapshot; raises `JobNotFoundError`."""
        now = self._clock.now()
        return await self._database.read(lambda connection: self._read(connection, job_id, now))

    async def usual_seconds(self, model: str) -> tuple[int, int] | None:
        """Return the median and 90th percentile of a model's latest durations.

        None until enough jobs were measured.
        """
        return await self._database.read(lambda connection: self._usual_seconds(connection, model))

    def _read(self, connection: Connection, job_id: str, now: datetime) -> Snapshot:
        job = JobRepository(connection).get(job_id)
        if job.state.ended:
            account = self._ledger.available(connection, job.place.guild_id, job.place.member_id, now)
            pictures = ResultImageRepository(connection).list_for(job_id) if job.state is State.DONE else ()
            return Snapshot(job=job, pictures=pictures, available=account.available)
        return Snapshot(
            job=job,
            queue_position=self._position(connection, job),
            usual_seconds=self._usual_seconds(connection, job.request.model),
            waits_for_storage=job.state is State.HELD and self._waits_for_storage(job.request),
            held_until=self._held_until(connection, job, now),
        )

    def _held_until(self, connection: Connection, job: Job, now: datetime) -> datetime | None:
        """Return the hard deadline of an UNKNOWN job without a free repeat."""
        if job.state is not State.UNKNOWN or self._ledger.has_free_repeat(connection, job.place.member_id, now):
            return None
        return job.created_at + timedelta(seconds=self._hard_deadline)

    def _position(self, connection: Connection, job: Job) -> int | None:
        """Return a waiting job's queue position.

        In a long queue the position may be up to two seconds old.
        """
        if job.state is not State.HELD or job.acknowledged_at is None or job.cancel_requested_at is not None:
            return None
        now = self._clock.monotonic()
        read_at, positions = self._positions
        if job.id in positions and now - read_at <= _POSITIONS_CACHE_SECONDS:
            return positions[job.id]
        queue = QueueRepository(connection)
        length = queue.count()
        if length < _LONG_QUEUE:
            return queue.position_of(job.id)
        positions = {job_id: position for position, (job_id, _) in enumerate(queue.list_first(length), 1)}
        self._positions = now, positions
        return positions.get(job.id)

    def _usual_seconds(self, connection: Connection, model: str) -> tuple[int, int] | None:
        now = self._clock.monotonic()
        measured_at, usual = self._usual.get(model, (float("-inf"), None))
        if now - measured_at > _DURATIONS_CACHE_SECONDS:
            durations = JobRepository(connection).recent_durations(model, _MEASURED_JOBS)
            usual = None
            if len(durations) >= _MIN_MEASURED_JOBS:
                deciles = statistics.quantiles(durations, n=10)
                usual = (round(statistics.median(durations)), round(deciles[8]))
            self._usual[model] = (now, usual)
        return usual
