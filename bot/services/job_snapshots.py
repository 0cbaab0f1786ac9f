"""What the cards show: a job, its pictures, its place in line, its member's balance."""

import statistics
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.jobs import Job, Snapshot, State
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from db.database import Database
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.queue import QueueRepository

_MEASURED = 50
_ENOUGH = 5
_REMEMBER_SECONDS = 60.0
# To put a long line in order takes time, and every card in it asks; one that long moves on all the time anyway.
_LONG_LINE = 200
_LINE_SECONDS = 2.0


class JobSnapshotService:
    """Reads snapshots; each is one state of the database."""

    def __init__(self, *, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._usual: dict[str, tuple[float, tuple[int, int] | None]] = {}
        self._line: tuple[float, dict[str, int]] = (float("-inf"), {})

    async def get(self, job_id: str) -> Snapshot:
        """Return a job's snapshot; raises `JobNotFoundError`."""
        now = self._clock.now()
        return await self._database.read(lambda connection: self._read(connection, job_id, now))

    async def usual_seconds(self, model: str) -> tuple[int, int] | None:
        """Return the median and the 90th percentile of a model's latest jobs, or None before enough were measured."""
        return await self._database.read(lambda connection: self._usual_seconds(connection, model))

    def _read(self, connection: Connection, job_id: str, now: datetime) -> Snapshot:
        job = JobRepository(connection).get(job_id)
        if job.state.ended:
            account = self._ledger.available(connection, job.place.guild_id, job.place.member_id, now)
            pictures = ResultImageRepository(connection).list_for(job_id) if job.state is State.DONE else ()
            return Snapshot(job=job, pictures=pictures, available=account.available)
        return Snapshot(
            job=job,
            place_in_line=self._place_in_line(connection, job),
            usual_seconds=self._usual_seconds(connection, job.request.model),
        )

    def _place_in_line(self, connection: Connection, job: Job) -> int | None:
        """Return a waiting job's place: as of now, or in a long line as of at most two seconds ago."""
        if job.state is not State.HELD or job.acknowledged_at is None or job.cancel_requested_at is not None:
            return None
        now = self._clock.monotonic()
        read, places = self._line
        if job.id in places and now - read <= _LINE_SECONDS:
            return places[job.id]
        line = QueueRepository(connection)
        long = line.count()
        if long < _LONG_LINE:
            return line.place_of(job.id)
        places = {job_id: place for place, (job_id, _) in enumerate(line.first(long), 1)}
        self._line = now, places
        return places.get(job.id)

    def _usual_seconds(self, connection: Connection, model: str) -> tuple[int, int] | None:
        now = self._clock.monotonic()
        measured, usual = self._usual.get(model, (float("-inf"), None))
        if now - measured > _REMEMBER_SECONDS:
            durations = JobRepository(connection).recent_durations(model, _MEASURED)
            usual = None
            if len(durations) >= _ENOUGH:
                deciles = statistics.quantiles(durations, n=10)
                usual = (round(statistics.median(durations)), round(deciles[8]))
            self._usual[model] = (now, usual)
        return usual
