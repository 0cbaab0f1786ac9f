"""Snapshots of jobs for their cards: images, queue position, balance."""

import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.forecasts import Lane, forecast, is_decisive
from bot.domain.jobs import Job, Snapshot, State
from bot.domain.pauses import Pause
from bot.domain.requests import GenerationRequest, offers_for
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.guild_key_offers import usable_offers
from bot.engine.ledger import Ledger
from bot.engine.progress import ProgressRegistry
from bot.engine.retry_policy import remaining_offers
from bot.services.job_sources import is_hidden
from bot.services.sharing.availability import is_shareable
from db.attempts import AttemptRepository
from db.database import Database
from db.jobs import JobRepository
from db.pauses import PauseRepository
from db.pictures import ResultImageRepository
from db.queue import JobsAhead, QueueRepository
from db.takedowns import TakedownRepository

_MEASURED_JOBS = 50
_MIN_MEASURED_JOBS = 5
_DURATIONS_CACHE_SECONDS = 60.0
# Sorting a long queue takes time and every card in it asks for its position, so those positions are cached.
_LONG_QUEUE = 200
_POSITIONS_CACHE_SECONDS = 2.0


class JobSnapshotService:
    """Read access to snapshots, each from one state of the database.

    `hard_deadline` is in seconds. `config` and `catalogue` are those of the engine, for forecasts. `progress` has the
    jobs' progress at their providers; those in `synchronous` answer a submit with the images.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        hard_deadline: float,
        config: EngineConfig | None = None,
        catalogue: Catalogue,
        waits_for_storage: Callable[[GenerationRequest], bool] = lambda _: False,
        progress: ProgressRegistry | None = None,
        synchronous: Collection[str] = (),
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._hard_deadline = hard_deadline
        self._config = config or EngineConfig()
        self._catalogue = catalogue
        self._waits_for_storage = waits_for_storage
        self._progress = progress or ProgressRegistry()
        self._synchronous = frozenset(synchronous)
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
            images = ResultImageRepository(connection)
            pictures = images.list_for(job_id) if job.state is State.DONE else ()
            removed = images.count_removed(job_id) if len(pictures) < job.request.images else 0
            return Snapshot(
                job=job,
                pictures=pictures,
                available=account.available,
                is_shareable=bool(pictures) and is_shareable(connection, job),
                removed=removed,
                taken_down=len(TakedownRepository(connection).taken_of(job_id)) if removed else 0,
                is_hidden=job.state is State.DONE and is_hidden(connection, job_id),
            )
        progress = self._progress.get(job_id)
        live = Snapshot(
            job=job,
            at_work=job.state is State.SUBMITTING and job.provider in self._synchronous,
            remote_position=progress.position if job.state is State.QUEUED else None,
            percent=progress.percent if job.state is State.RUNNING else None,
            usual_seconds=self._usual_seconds(connection, job.request.model),
            waits_for_storage=job.state is State.HELD and self._waits_for_storage(job.request),
            pause=self._pause(connection, job),
            held_until=self._held_until(connection, job, now),
        )
        return self._with_position(connection, live, self._position(connection, job))

    def first(self, connection: Connection, jobs: Sequence[tuple[Job, int | None]]) -> list[Snapshot]:
        """Return the snapshots of new jobs, given with their members' credits.

        They have the positions of once they are acknowledged. In a long queue those follow with the next update:
        sorting it would block other writes.
        """
        queue = QueueRepository(connection)
        queued = {job.id for job, _ in jobs if job.prepared}
        # New jobs would be sorted with the others.
        is_long = bool(queued) and queue.has_many(_LONG_QUEUE + len(queued))
        places = queue.places_of_new(queued) if queued and not is_long else {}
        snapshots = []
        for job, available in jobs:
            usual = self._usual_seconds(connection, job.request.model)
            snapshot = Snapshot(job=job, available=available, usual_seconds=usual)
            snapshots.append(self._with_place(snapshot, *places[job.id]) if job.id in places else snapshot)
        return snapshots

    def _with_position(self, connection: Connection, snapshot: Snapshot, position: int | None) -> Snapshot:
        """Return the snapshot of a queued job with its forecast."""
        if position is None:
            return snapshot
        return self._with_place(snapshot, position, QueueRepository(connection).jobs_ahead(snapshot.job))

    def _with_place(self, snapshot: Snapshot, position: int, ahead: JobsAhead) -> Snapshot:
        job, config = snapshot.job, self._config
        own = Lane(slots=config.active_per_member, active=ahead.active_of_member, rank=ahead.before_of_member + 1)
        providers = {offer.provider for offer in offers_for(job.request, self._catalogue)}
        others = [Lane(slots=config.active_per_provider * max(1, len(providers)), active=ahead.active, rank=position)]
        if config.active_per_guild is not None:
            rank = ahead.before_of_guild + 1
            others.append(Lane(slots=config.active_per_guild, active=ahead.active_of_guild, rank=rank))
        usual = snapshot.usual_seconds
        return replace(
            snapshot,
            queue_position=position,
            forecast_seconds=None if usual is None else forecast(usual[0], own, *others),
            own_first=ahead.active_of_member + ahead.before_of_member if is_decisive(own, *others) else 0,
        )

    def _pause(self, connection: Connection, job: Job) -> Pause | None:
        """Return the pause in the way of a queued job's submit."""
        if job.state is not State.HELD:
            return None
        pauses = PauseRepository(connection).find(job.place.guild_id)
        if not pauses:
            return None
        attempts = AttemptRepository(connection).list_for(job.id) if job.tries else ()
        offers = usable_offers(connection, job, remaining_offers(offers_for(job.request, self._catalogue), attempts))
        return pauses.blocking(job.place.guild_id, job.request.model, [offer.provider for offer in offers])

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
