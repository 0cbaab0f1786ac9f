"""The dispatch loop: claim free slots for queued jobs."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

from bot.domain.errors import StaleJobError
from bot.engine.claim_tracker import ClaimTracker
from bot.engine.claimer import Claim
from bot.engine.clock import Clock
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.observer import JobObserver
from bot.engine.provider_statuses import ProviderStatuses
from bot.engine.storage_gate import StorageGate
from bot.engine.submitter import Submitter
from bot.engine.worker_store import WorkerStore

_log = structlog.get_logger(__name__)

_CLAIM_BATCH: Final = 64
_QUEUE_REFRESH_SECONDS: Final = 2.0
# Slots freed, jobs queued and pauses ended by other processes are only seen by reading the database.
_QUEUE_CHECK_SECONDS: Final = 2.0
_LEASE_CHECK_SECONDS: Final = 0.5
_RETRY_AFTER_ERROR_SECONDS: Final = 10.0
# Interactions expire after 3 s and images take longer: of 200 commands at once, none should be late because the first
# images are being made. Bounded, so that a constant flow of commands does not block the queue.
_LONGEST_PAUSE_SECONDS: Final = 1.0


class Dispatcher:
    """Claims slots for queued jobs until `stopping` is set.

    `schedule` makes a job's next step due now: its submit.
    """

    def __init__(
        self,
        *,
        job_store: JobStore,
        worker_store: WorkerStore,
        claims: ClaimTracker,
        statuses: ProviderStatuses,
        storage_gate: StorageGate,
        submitter: Submitter,
        observer: JobObserver,
        clock: Clock,
        lease: Lease,
        stopping: asyncio.Event,
        schedule: Callable[[str], None],
    ) -> None:
        self._job_store = job_store
        self._worker_store = worker_store
        self._claims = claims
        self._statuses = statuses
        self._storage_gate = storage_gate
        self._submitter = submitter
        self._observer = observer
        self._clock = clock
        self._lease = lease
        self._stopping = stopping
        self._schedule = schedule
        self._woken = asyncio.Event()
        self._pauses = 0
        self._paused_since: float | None = None
        self._queue_shown_at = float("-inf")

    def wake(self) -> None:
        """Claim soon: a slot may be free or a job may be queued."""
        self._woken.set()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Claim no slots inside this context, for a second at most."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses and self._paused_since is not None:
                self.wake()

    async def run(self) -> None:
        """Claim slots until the engine stops."""
        while not self._stopping.is_set():
            self._woken.clear()
            delay: float | None = _RETRY_AFTER_ERROR_SECONDS
            try:
                with self._claims.claiming():
                    delay = await self._dispatch()
            except StaleJobError:
                delay = 0.0  # a job was cancelled while it was being claimed
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("engine.claim_failed")
            await self._clock.wait(self._woken, delay)

    async def release_unsent(self) -> None:
        """Return every claimed job without a submit to the queue.

        Called once no submit can begin any more.
        """
        await self._release(self._claims.ours)

    async def _dispatch(self) -> float | None:
        """Claim jobs, schedule their submits and return the next delay.

        The delay is in seconds; None waits until woken.
        """
        if not self._lease.is_held:
            return _LEASE_CHECK_SECONDS
        if (pause := self._pause_left()) > 0:
            return pause
        to_refresh = self._queue_shown_at + _QUEUE_REFRESH_SECONDS - self._clock.monotonic()
        result = await self._job_store.claim_batch(
            _CLAIM_BATCH,
            self._storage_gate.limit(self._statuses.operators.available_submits()),
            self._statuses.operators.offer_limits(),
            key_limits=self._statuses.key_limits(self._storage_gate.limit),
            with_queue=to_refresh <= 0,
        )
        if self._stopping.is_set():
            await self._release(result.claims)
            return None
        for claim in result.claims:
            self._claims.add(claim)
            self._submitter.record_start(claim)
            self._schedule(claim.job.id)
            self._observer.on_job_changed(claim.job.id)
            _log.info("job.moved", job=claim.job.id, state=claim.job.state, provider=claim.job.provider)
        for job_id in result.keyless:
            self._schedule(job_id)
        if self._claims.has_lost_claim:
            await self._schedule_unknown_claims()
        if len(result.claims) == _CLAIM_BATCH:
            return 0.0
        self._show_positions(result.queue)
        delays = [result.next_retry_in]
        if result.has_waiting:
            if to_refresh > 0:
                delays.append(to_refresh)
            delays.append(self._statuses.next_probe_in())
            if result.is_paused or not self._lease.is_alone:
                delays.append(_QUEUE_CHECK_SECONDS)
        return min((delay for delay in delays if delay is not None), default=None)

    def _pause_left(self) -> float:
        """Return the remaining seconds of a pause; 0 without one.

        It is 0 also after the longest pause.
        """
        if not self._pauses:
            self._paused_since = None
            return 0.0
        now = self._clock.monotonic()
        since = now if self._paused_since is None else self._paused_since
        left = since + _LONGEST_PAUSE_SECONDS - now
        self._paused_since = since if left > 0 else None
        return left

    async def _schedule_unknown_claims(self) -> None:
        """Schedule the jobs of a lost claim, so that they are released."""
        for job_id in await self._worker_store.list_submitting():
            if not self._claims.is_known(job_id):
                self._schedule(job_id)
        self._claims.clear_lost_claim()

    async def _release(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._claims.discard(claim.job.id)
            try:
                await self._job_store.release_claim(claim.job)
            except StaleJobError:
                pass  # another worker owns the job by now
            except Exception:  # noqa: BLE001 - the next process cannot know then, and reports the job as unknown
                _log.exception("engine.not_put_back", job=claim.job.id)

    def _show_positions(self, queue: tuple[str, ...]) -> None:
        """Refresh the cards with a queue position."""
        if queue:
            self._queue_shown_at = self._clock.monotonic()
        for job_id in queue:
            self._observer.on_job_changed(job_id)
