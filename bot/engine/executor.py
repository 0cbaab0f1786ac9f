"""One step of one job, by its state: waiting here, being submitted, or at a provider. Says when to look again."""

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from bot.domain.attachments import SERVED, InputPolicy
from bot.domain.errors import FaultKind
from bot.domain.jobs import Attempt, Job, State
from bot.domain.requests import GenerationRequest
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.claimer import Claim
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.health import HealthRegistry
from bot.engine.input_downloader import InputDownloader
from bot.engine.job_store import JobStore
from bot.engine.observer import JobObserver
from bot.engine.poller import FETCH_SECONDS, JobPoller
from bot.engine.provider_status import ProviderStatus
from bot.engine.step_result import StepResult
from bot.engine.submitter import Submitter
from bot.images.image_service import ImageService
from bot.providers.base import Provider

_log = structlog.get_logger(__name__)

# Discord takes an answer for 3 seconds; whatever is not there by now never will be.
ACKNOWLEDGED_WITHIN: Final = 20.0

_LOOK_AT_LATE_SECONDS: Final = 60.0


class JobExecutor:
    """What can be done for a job in each state."""

    def __init__(
        self,
        *,
        job_store: JobStore,
        providers: Mapping[str, Provider],
        image_service: ImageService,
        observer: JobObserver,
        clock: Clock,
        config: EngineConfig,
        health: HealthRegistry,
        breakers: CircuitBreakers,
        randomness: random.Random,
        policy: InputPolicy = SERVED,
    ) -> None:
        self._job_store = job_store
        self._observer = observer
        self._clock = clock
        self._config = config
        self._provider_status = ProviderStatus(
            providers=tuple(providers), health=health, breakers=breakers, clock=clock
        )
        self._input_downloader = InputDownloader(image_service, knows=policy.knows, served=policy.served)
        self._submitter = Submitter(
            job_store=job_store,
            providers=providers,
            provider_status=self._provider_status,
            clock=clock,
            config=config,
            randomness=randomness,
        )
        self._poller = JobPoller(
            job_store=job_store,
            providers=providers,
            provider_status=self._provider_status,
            image_service=image_service,
            clock=clock,
            config=config,
            randomness=randomness,
        )

    def room(self) -> dict[str, int]:
        """Return how many submits each provider may be sent now."""
        return self._provider_status.available_submits()

    def shut(self, request: GenerationRequest) -> bool:
        """Return whether every provider of what is asked for lets nobody in until its operator does something."""
        return self._provider_status.is_blocked(request)

    def next_probe(self) -> float | None:
        """Return the seconds until a provider that was in trouble may be tried again."""
        return self._provider_status.next_probe_in()

    def begun(self, claim: Claim) -> None:
        """Hear that a claimed job is about to be submitted: a provider in trouble gets one at a time."""
        self._submitter.record_start(claim)

    def forget(self, job_id: str) -> None:
        """Forget a job that another worker has taken."""
        self._input_downloader.interrupt(job_id)
        self._input_downloader.forget(job_id)
        self._poller.forget(job_id)
        self._submitter.forget(job_id)

    def interrupt(self, job_id: str) -> None:
        """Stop fetching what a job starts from: its member wants something else."""
        self._input_downloader.interrupt(job_id)

    async def submit(self, claim: Claim) -> StepResult:
        """Send a claimed job once, and write down what came of it."""
        return await self._submitter.submit(claim)

    async def handle_interrupted(self, job: Job, attempt: Attempt | None) -> StepResult:
        """An earlier process sent the job, or was about to: nobody can know, so it is never sent again."""
        return await self._submitter.handle_interrupted(job, attempt)

    async def reconcile(self, job: Job, attempt: Attempt | None) -> None:
        """Ask what became of a job that ended without its provider's answer; pictures that come now are free."""
        await self._poller.reconcile(job, attempt)

    def overdue(self, job: Job) -> bool:
        """Return whether a job is past its hard deadline by more than the time in which its pictures may be fetched."""
        return self._age(job) > self._config.hard_deadline + FETCH_SECONDS

    async def abandon(self, job: Job) -> StepResult:
        """End a job in whatever state it is."""
        _log.error("job.abandoned", job=job.id, provider=job.provider, state=job.state)
        match job.state:
            case State.SUBMITTING:
                return self._ended(await self._job_store.mark_reply_lost(job, has_callback=False))
            case State.UNKNOWN:
                return self._ended(await self._job_store.give_up(job))
            case _:
                return self._ended(await self._job_store.mark_lost(job))

    async def advance(self, job: Job, attempt: Attempt | None) -> StepResult:
        """Do what the job's state asks for."""
        step = await self._advanced(job, attempt)
        return self._ended(step.job) if step.job.state.ended else step

    async def _advanced(self, job: Job, attempt: Attempt | None) -> StepResult:
        if job.state.ended or job.state is State.SUBMITTING:
            return StepResult(job=job)  # `submit` or `interrupted` has what is being submitted
        if job.state is State.HELD:
            return await self._look_at_waiting(job)
        assert attempt is not None, "a job at a provider has an attempt"  # noqa: S101 - an invariant
        return await self._poller.advance(job, attempt)

    async def _look_at_waiting(self, job: Job) -> StepResult:
        if job.acknowledged_at is None:
            young = ACKNOWLEDGED_WITHIN - self._age(job)
            if young > 0:
                return StepResult(job=job, again=min(young, ACKNOWLEDGED_WITHIN))  # its answer may be on the way
            found = await self._observer.find_card(job)
            if found is None:
                return StepResult(job=job, again=self._config.poll_ceiling)
            if not found.there:
                _log.warning("job.unacknowledged", job=job.id)
                return StepResult(job=await self._job_store.mark_failed(job, FaultKind.UNACKNOWLEDGED))
            await self._job_store.mark_acknowledged(job.id, found.message_id)
            return StepResult(job=job, again=0.0)
        if job.cancel_requested_at is not None:
            return StepResult(job=await self._job_store.mark_cancelled(job))
        age = self._age(job)
        if age > self._config.hard_deadline:
            return StepResult(job=await self._job_store.mark_lost(job))
        if not job.prepared:
            return await self._prepare(job)
        # The dispatcher gives it a slot; this only sees to it that a job no provider takes ends some day.
        late = age > self._config.soft_deadline
        trouble = self._provider_status.open_longer_than(job.request, self._config.soft_deadline) if late else None
        if trouble is not None:
            # Whoever offers this is in trouble and has been for long: the member is better told than kept waiting.
            return StepResult(job=await self._job_store.mark_failed(job, trouble))
        deadline = self._config.hard_deadline if late else self._config.soft_deadline
        again = min(deadline - age + 1.0, _LOOK_AT_LATE_SECONDS) if late else deadline - age + 1.0
        return StepResult(job=job, again=again, show=late)

    async def _prepare(self, job: Job) -> StepResult:
        """Fetch and check what the job starts from; then it stands in line, or fails."""
        outcome = await self._input_downloader.prepare(job, self._clock.monotonic())
        if isinstance(outcome, float):
            return StepResult(job=job, again=outcome)
        if outcome.fault is not None:
            _log.warning("job.unprepared", job=job.id, fault=outcome.fault)
            return StepResult(job=await self._job_store.mark_inputs_failed(job, outcome.fault, outcome.files))
        prepared = await self._job_store.mark_prepared(job, outcome.files)
        self._input_downloader.forget(job.id)
        return StepResult(job=prepared, again=0.0, show=True)

    def _ended(self, job: Job) -> StepResult:
        self._input_downloader.forget(job.id)
        self._poller.forget(job.id)
        return StepResult(job=job)

    def _age(self, job: Job) -> float:
        return (self._clock.now() - job.created_at) / timedelta(seconds=1)
