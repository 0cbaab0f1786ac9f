"""The engine: start, stop and recovery of all jobs of this process."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, Final

import structlog

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, State
from bot.domain.requests import GenerationRequest
from bot.engine.claim_tracker import ClaimTracker
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.decode_guard import DecodeGuard
from bot.engine.dispatcher import Dispatcher
from bot.engine.executor import JobExecutor
from bot.engine.held_jobs import ACK_TIMEOUT_SECONDS, HeldJobs
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.observer import JobObserver
from bot.engine.poller import JobPoller
from bot.engine.provider_statuses import ProviderStatuses
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.storage_gate import PROBE_SECONDS, StorageGate
from bot.engine.submitter import Submitter
from bot.engine.worker_store import TAKE_OVER_BATCH, WorkerStore

_log = structlog.get_logger(__name__)

# With the card updater's grace, less than the ten seconds after which a supervisor kills the process.
_GRACE_SECONDS: Final = 5.0
_SWEEP_SECONDS: Final = 30.0
_RECONCILE_BATCH: Final = 20


class Engine:
    """Runs jobs between `start` and `stop`.

    Everything that must survive is in the database: after a crash, the next process takes the jobs over.
    """

    def __init__(
        self,
        *,
        job_store: JobStore,
        worker_store: WorkerStore,
        reconciliations: ReconciliationStore,
        held_jobs: HeldJobs,
        submitter: Submitter,
        poller: JobPoller,
        decode_guard: DecodeGuard,
        statuses: ProviderStatuses,
        storage_gate: StorageGate,
        observer: JobObserver,
        clock: Clock,
        config: EngineConfig,
        lease: Lease,
        randomness: random.Random,
    ) -> None:
        self._job_store = job_store
        self._worker_store = worker_store
        self._reconciliations = reconciliations
        self._held_jobs = held_jobs
        self._submitter = submitter
        self._poller = poller
        self._decode_guard = decode_guard
        self._statuses = statuses
        self._storage_gate = storage_gate
        storage_gate.subscribe(self.wake)
        statuses.operators.subscribe(self._note_withdrawn)
        self._observer = observer
        self._clock = clock
        self._config = config
        self._lease = lease
        self._random = randomness
        self._stopping = asyncio.Event()
        self._claims = ClaimTracker()
        self._executor = JobExecutor(
            job_store=job_store,
            claims=self._claims,
            held_jobs=held_jobs,
            submitter=submitter,
            poller=poller,
            observer=observer,
            clock=clock,
            config=config,
            lease=lease,
            randomness=randomness,
            stopping=self._stopping,
            on_slot_free=self.wake,
            on_ended=self._note_ended,
        )
        self._dispatcher = Dispatcher(
            job_store=job_store,
            worker_store=worker_store,
            claims=self._claims,
            statuses=statuses,
            storage_gate=storage_gate,
            submitter=submitter,
            observer=observer,
            clock=clock,
            lease=lease,
            stopping=self._stopping,
            schedule=self._executor.schedule,
        )
        # By webhook hash: when the status is read because of a call.
        self._pending_reads: dict[str, float] = {}
        self._execution: asyncio.Task[None] | None = None
        self._dispatch: asyncio.Task[None] | None = None
        self._duties: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[Job], None]] = []
        self._withdrawn: set[str] = set()
        self._has_withdrawn = asyncio.Event()
        # Of a stop: the jobs stay ours while their last calls are answered.
        self._ended = asyncio.Event()
        self._lease_duty: asyncio.Task[None] | None = None

    @property
    def worker_id(self) -> str:
        """Owner of the jobs created in this process."""
        return self._lease.worker_id

    def subscribe(self, on_ended: Callable[[Job], None]) -> None:
        """Call `on_ended` with each job at its end in this process."""
        self._listeners.append(on_ended)

    async def start(self) -> None:
        """Take over the jobs of ended processes and start the background tasks."""
        # Before the first submit: a folder that cannot be written should cost no image.
        await self._storage_gate.probe_disk()
        await self._worker_store.renew_lease()
        await self._take_over()
        if self._stopping.is_set():
            return
        self._execution = asyncio.create_task(self._executor.run())
        self._dispatch = asyncio.create_task(self._dispatcher.run())
        self._lease_duty = asyncio.create_task(self._every(self._lease.renewal_interval, self._keep_lease, self._ended))
        self._duties = [
            asyncio.create_task(self._every(PROBE_SECONDS, self._storage_gate.probe)),
            asyncio.create_task(self._every(_SWEEP_SECONDS, self._sweep)),
            asyncio.create_task(self._schedule_withdrawn()),
            asyncio.create_task(self._every(_SWEEP_SECONDS, self._reconcile)),
        ]

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Begin nothing new and let running steps finish (bounded).

        A call whose answer has the images gets more time, until `hurry`: nobody else can receive it. The next process
        continues the rest.
        """
        self._stopping.set()
        self.wake()
        for duty in self._duties:
            duty.cancel()  # a duty may download late images for minutes; a transaction it began is completed
        # The dispatch loop is not cancelled: it would not know which jobs its last transaction claimed.
        dispatch = [] if self._dispatch is None else [self._dispatch]
        await asyncio.gather(*dispatch, *self._duties, return_exceptions=True)
        if self._execution is not None:
            self._execution.cancel()
            await asyncio.gather(self._execution, return_exceptions=True)
        self._held_jobs.interrupt_all()
        await self._submitter.wait_synchronous(self._config.stop_wait, hurry)
        await self._executor.drain(_GRACE_SECONDS)
        self._ended.set()
        if self._lease_duty is not None:
            self._lease_duty.cancel()
            await asyncio.gather(self._lease_duty, return_exceptions=True)
        await self._dispatcher.release_unsent()
        try:
            await self._decode_guard.release()
        except Exception:  # noqa: BLE001 - each counts as one failure more, of the three that a job has
            _log.exception("engine.decodings_not_released")

    async def release_lease(self) -> None:
        """Give up the lease. Called once no job can change here any more."""
        try:
            await self._worker_store.release_lease()
        except Exception:  # noqa: BLE001 - the lease expires by itself
            _log.exception("engine.lease_not_released")

    def is_blocked(self, request: GenerationRequest) -> bool:
        """Return whether no provider accepts the request until its operator acts."""
        return self._statuses.operators.is_blocked(request)

    def wake(self) -> None:
        """Dispatch soon: a slot may be free or a job may be queued."""
        self._dispatcher.wake()

    def pause_dispatch(self) -> AbstractContextManager[None]:
        """Claim no slots inside this context, for a second at most.

        Used while an interaction waits for its response.
        """
        return self._dispatcher.pause()

    def schedule_inputs(self, job_id: str) -> None:
        """Download a job's input images now: its card exists."""
        self._executor.schedule(job_id)

    def schedule_ack_check(self, job_id: str) -> None:
        """Check a new job once its card should have been acknowledged."""
        self._executor.schedule(job_id, ACK_TIMEOUT_SECONDS)

    async def schedule_now(self, job_id: str, *, interrupt: bool = False) -> None:
        """Run a job's next step now; adopt the job if possible.

        A job of another worker is adopted if its state allows that. `interrupt` stops the download of its input
        images: its member cancels it.
        """
        await self._worker_store.adopt(job_id)
        if interrupt:
            self._held_jobs.interrupt(job_id)
        self._executor.schedule(job_id)

    async def handle_webhook(self, webhook_hash: str, provider: str, handle: str | None) -> bool:
        """Schedule the job of a webhook call; return False if unknown.

        The call is only a hint: the status is read before anything is believed. `handle` is the job's name in the
        call; it counts only if the submit's own reply was lost.
        """
        if self._is_read_pending(webhook_hash):
            return True
        found = await self._job_store.find_by_webhook(webhook_hash)
        if found is None or found[1].provider != provider:
            return False
        job, attempt = found
        if handle is not None and attempt.handle is None and job.fault in (None, FaultKind.REPLY_LOST):
            await self._job_store.record_handle(attempt, handle)
            job, _ = await self._job_store.get(job.id)  # the job may have been given up meanwhile
        if job.state.ended:
            if job.state is State.LOST or job.fault is FaultKind.REPLY_LOST:
                await self._reconciliations.schedule(job)
        else:
            await self._worker_store.adopt(job.id)
            delay = self._poller.seconds_to_next_read(job.id)
            self._executor.schedule(job.id, delay)
            if delay > 0 and (handle is None or attempt.handle is not None):
                self._pending_reads[webhook_hash] = self._clock.monotonic() + delay
        return True

    def _is_read_pending(self, webhook_hash: str) -> bool:
        """Return whether the status is read anyway once the poll floor has passed.

        A call repeated until then costs no transaction.
        """
        now = self._clock.monotonic()
        self._pending_reads = {each: at for each, at in self._pending_reads.items() if at > now}
        return webhook_hash in self._pending_reads

    def _note_withdrawn(self, model: str) -> None:
        self._withdrawn.add(model)
        self._has_withdrawn.set()

    async def _schedule_withdrawn(self) -> None:
        """Schedule the waiting jobs of each withdrawn model.

        Their next step may end them.
        """
        while True:
            await self._clock.wait(self._has_withdrawn, _SWEEP_SECONDS)
            self._has_withdrawn.clear()
            models, self._withdrawn = self._withdrawn, set()
            try:
                for model in models:
                    for job_id in await self._worker_store.list_held(model):
                        self._executor.schedule(job_id)
            except Exception:  # noqa: BLE001 - the database may be back in a moment; their deadlines end them
                _log.exception("engine.withdrawn_not_scheduled")

    async def _every(
        self, seconds: float, duty: Callable[[], Coroutine[Any, Any, None]], until: asyncio.Event | None = None
    ) -> None:
        end = until or self._stopping
        while True:
            await self._clock.wait(end, seconds)
            if end.is_set():
                return
            try:
                await duty()
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("engine.duty_failed", duty=duty.__name__)

    async def _keep_lease(self) -> None:
        await self._worker_store.renew_lease()
        if not self._stopping.is_set():
            await self._take_over()

    async def _take_over(self) -> None:
        """Take over the jobs of ended workers, one batch at a time."""
        taken: tuple[Job, ...] | None = None
        while (taken is None or len(taken) == TAKE_OVER_BATCH) and not self._stopping.is_set():
            with self._claims.taking_over():
                taken = await self._worker_store.take_over()
            self._schedule_adopted(taken)

    def _schedule_adopted(self, jobs: tuple[Job, ...]) -> None:
        """Schedule jobs of other workers.

        Their polls are spread, to be no denser than in the steady state.
        """
        live = [job for job in jobs if not job.state.ended]
        for job in live:
            if job.state is State.SUBMITTING:
                self._claims.add_adopted(job.id)
            at_provider = job.state in (State.QUEUED, State.RUNNING)
            self._executor.schedule(job.id, self._random.uniform(0, self._config.poll_ceiling) if at_provider else 0.0)
        for job in jobs:
            if job.state.ended:
                self._observer.on_job_changed(job.id)
        if jobs:
            _log.info("engine.took_over", live=len(live), undelivered=len(jobs) - len(live))
        self.wake()

    def _note_ended(self, job: Job) -> None:
        for on_ended in self._listeners:
            on_ended(job)

    async def _sweep(self) -> None:
        """Schedule this worker's jobs and deliveries missing from memory."""
        live, undelivered = await self._worker_store.list_owned()
        for job_id in live:
            if not self._executor.is_scheduled(job_id):
                self._executor.schedule(job_id)
        for job_id in undelivered:
            self._observer.on_job_changed(job_id)

    async def _reconcile(self) -> None:
        """Ask providers about ended jobs without a known outcome."""
        for job in await self._reconciliations.claim_due(_RECONCILE_BATCH):
            with structlog.contextvars.bound_contextvars(job=job.id):
                try:
                    await self._poller.reconcile(job)
                except Exception:  # noqa: BLE001 - one failure must not keep the others; this job is due again later
                    _log.exception("engine.not_reconciled")
