"""The next step of each job, by its state, whenever it is due."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from bot.domain.errors import JobStateError, StaleJobError
from bot.domain.jobs import Attempt, Job, State
from bot.engine.claim_tracker import ClaimState, ClaimTracker
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.delay_queue import DelayQueue
from bot.engine.held_jobs import HeldJobs
from bot.engine.job_memory import JobMemory
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.observer import JobObserver
from bot.engine.poller import DOWNLOAD_SECONDS, JobPoller
from bot.engine.step_result import StepResult
from bot.engine.submitter import Submitter

_log = structlog.get_logger(__name__)

# More than ever wait for a provider at once; steps that can be many have their own limits.
_CONCURRENT_STEPS: Final = 512
_RETRY_AFTER_ERROR_SECONDS: Final = 10.0
_UNKNOWN_CLAIM_SECONDS: Final = 0.5


class JobExecutor:
    """Runs the due steps of this worker's jobs.

    `on_slot_free` is called if a job's step may have freed a slot or queued the job, `on_ended` with each job that a
    step of this process ended. Once `stopping` is set, no submit begins.
    """

    def __init__(
        self,
        *,
        job_store: JobStore,
        claims: ClaimTracker,
        held_jobs: HeldJobs,
        submitter: Submitter,
        poller: JobPoller,
        observer: JobObserver,
        clock: Clock,
        config: EngineConfig,
        lease: Lease,
        randomness: random.Random,
        stopping: asyncio.Event,
        on_slot_free: Callable[[], None],
        on_ended: Callable[[Job], None],
    ) -> None:
        self._job_store = job_store
        self._claims = claims
        self._held_jobs = held_jobs
        self._submitter = submitter
        self._poller = poller
        self._observer = observer
        self._clock = clock
        self._config = config
        self._lease = lease
        self._random = randomness
        self._stopping = stopping
        self._on_slot_free = on_slot_free
        self._on_ended = on_ended
        self._memory = JobMemory(is_alone=lease.is_alone)
        self._queue = DelayQueue(clock, self._advance, concurrency=_CONCURRENT_STEPS)

    def schedule(self, job_id: str, delay: float = 0.0) -> None:
        """Run the job's next step in `delay` seconds, unless it is due sooner.

        The step reads the job again.
        """
        self._memory.forget(job_id)
        self._queue.set(job_id, delay)

    def is_scheduled(self, job_id: str) -> bool:
        """Return whether a step of the job waits or runs."""
        return job_id in self._queue

    async def run(self) -> None:
        """Run steps as they become due, until cancelled.

        Running steps are left to `drain`.
        """
        await self._queue.run()

    async def drain(self, seconds: float) -> None:
        """Wait for the running steps; cancel them after `seconds`."""
        await self._queue.drain(seconds)

    async def _advance(self, job_id: str) -> None:
        """Run the next step of one job and schedule the step after it.

        All log lines of the step name the job, those of providers and downloads too.
        """
        known, unchanged = self._memory.begin(job_id), None
        try:
            with structlog.contextvars.bound_contextvars(job=job_id):
                unchanged = await self._advance_logged(job_id, known)
        finally:
            self._memory.end(job_id, unchanged)

    async def _advance_logged(self, job_id: str, known: tuple[Job, Attempt] | None) -> tuple[Job, Attempt] | None:
        """Run the next step; return the job and its attempt if it changed neither."""
        if not self._lease.is_held:
            self.schedule(job_id, self._random.uniform(1.0, 2.0) * self._lease.renewal_interval)
            return None
        term = self._lease.term
        try:
            job, attempt = known or await self._job_store.get(job_id)
            if job.owner != self._lease.worker_id and not job.state.ended:
                self._forget(job_id)
                return None
            result = await self._step(job, attempt, term)
            if job.state is State.SUBMITTING:
                # Only this step: one that read an earlier state says nothing about a submit begun since.
                self._claims.resolve(job_id)
        except (StaleJobError, JobStateError):
            # The job changed meanwhile: read it again.
            self.schedule(job_id)
            return None
        except Exception:  # noqa: BLE001 - a fault of ours must not lose the job
            _log.exception("engine.step_failed", job=job_id)
            self.schedule(job_id, _RETRY_AFTER_ERROR_SECONDS)
            await self._end_overdue(job_id)
            return None
        self._follow_up(job.state, result)
        # Other steps may change a call and leave its job.
        is_poll = job.state in (State.QUEUED, State.RUNNING) and attempt is not None and attempt.batch == attempt.number
        return (job, attempt) if is_poll and attempt is not None and result.job is job else None

    async def _step(self, job: Job, attempt: Attempt | None, term: int) -> StepResult:
        """Do the step of the job's state.

        `term` is the lease's term before the job was read.
        """
        if job.state is State.SUBMITTING:
            return await self._submit(job, attempt, term)
        if job.state is State.HELD:
            result = await self._held_jobs.advance(job)
        elif job.state.ended:
            result = StepResult(job=job)
        else:
            assert attempt is not None, "a job at a provider has an attempt"  # noqa: S101 - an invariant
            result = await self._poller.advance(job, attempt)
        return self._ended(result.job) if result.job.state.ended else result

    async def _submit(self, job: Job, attempt: Attempt | None, term: int) -> StepResult:
        """Send a job claimed here, or resolve an interrupted submit."""
        # Only for a job read in SUBMITTING: a step that read it before the claim leaves the claim to the next step.
        match self._claims.state_of(job):
            case ClaimState.OURS if self._stopping.is_set():
                return StepResult(job=job)  # the stop releases the claim
            case ClaimState.OURS if not self._lease.is_held or self._lease.term != term:
                # The lease ended while the job was read: another worker may own it by now.
                return StepResult(job=job, next_step_in=0.0)
            case ClaimState.OURS:
                return await self._submitter.submit(self._claims.begin_submit(job))
            case ClaimState.SENT:
                return await self._submitter.handle_interrupted(job, attempt)
            case ClaimState.UNKNOWN:
                return StepResult(job=job, next_step_in=_UNKNOWN_CLAIM_SECONDS)
            case ClaimState.UNSENT:
                return StepResult(job=await self._job_store.release_claim(job))

    async def _end_overdue(self, job_id: str) -> None:
        """End a failing job long after its hard deadline.

        No fault of ours may hold credits for ever. The margin after the deadline is the time in which finished
        images may be downloaded.
        """
        try:
            job, _ = await self._job_store.get(job_id)
            age = (self._clock.now() - job.created_at) / timedelta(seconds=1)
            if not job.state.ended and age > self._config.hard_deadline + DOWNLOAD_SECONDS:
                self._follow_up(job.state, await self._abandon(job))
        except Exception:  # noqa: BLE001 - the next step tries again
            _log.exception("engine.not_ended", job=job_id)

    async def _abandon(self, job: Job) -> StepResult:
        """End a job in any state."""
        _log.error("job.abandoned", job=job.id, provider=job.provider, state=job.state)
        match job.state:
            case State.SUBMITTING:
                return self._ended(await self._job_store.mark_reply_lost(job, has_callback=False))
            case State.UNKNOWN:
                return self._ended(await self._job_store.give_up(job))
            case _:
                return self._ended(await self._job_store.mark_lost(job))

    def _ended(self, job: Job) -> StepResult:
        self._held_jobs.forget(job.id)
        self._poller.forget(job.id)
        return StepResult(job=job)

    def _forget(self, job_id: str) -> None:
        """Forget a job of another worker."""
        self._claims.forget(job_id)
        self._held_jobs.interrupt(job_id)
        self._held_jobs.forget(job_id)
        self._poller.forget(job_id)
        self._submitter.forget(job_id)

    def _follow_up(self, before: State, result: StepResult) -> None:
        job = result.job
        if job.state.ended and not before.ended:
            self._on_ended(job)
        if job.state is not before:
            _log.info("job.moved", job=job.id, state=job.state, provider=job.provider, fault=job.fault)
        if job.state is not before or result.refresh_card:
            self._observer.on_job_changed(job.id)
        if job.state is State.HELD or job.state.ended:
            self._on_slot_free()
        if result.next_step_in is not None:
            self._queue.set(job.id, result.next_step_in)
