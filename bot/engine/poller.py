"""Steps of a submitted job: poll, store the images, or give up."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from bot.domain.catalogue import Catalogue
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Job, State
from bot.engine.batch_poller import BatchPoller
from bot.engine.batch_store import BatchStore
from bot.engine.call_sender import CallSender, LostReply
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.decode_guard import DecodeGuard
from bot.engine.fault_attribution import log_failure
from bot.engine.job_store import JobStore
from bot.engine.poll_schedule import ASK_SECONDS, LONGEST_POLL_PAUSE_SECONDS, PollProgress, PollSchedule
from bot.engine.progress import ProgressRegistry
from bot.engine.provider_status import ProviderStatus
from bot.engine.reconciler import JobReconciler
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.result_downloader import ResultDownloader
from bot.engine.status_reader import StatusReader
from bot.engine.step_result import StepResult
from bot.engine.storage_gate import StorageGate
from bot.providers.base import Cancelled, CancelOutcome, Failed, Finished, Pending, Status

_log = structlog.get_logger(__name__)

DOWNLOAD_SECONDS: Final = 900.0
"""Time to download finished images: providers keep them for a day or more, so an outage can be waited out."""

_LONGEST_DOWNLOAD_PAUSE_SECONDS: Final = 60.0


class JobPoller:
    """Polls submitted jobs and records their outcome."""

    def __init__(
        self,
        *,
        job_store: JobStore,
        batch_store: BatchStore,
        sender: CallSender,
        results: ResultDownloader,
        catalogue: Catalogue,
        progress: ProgressRegistry,
        reader: StatusReader,
        reconciliations: ReconciliationStore,
        provider_status: ProviderStatus,
        storage_gate: StorageGate,
        decode_guard: DecodeGuard,
        clock: Clock,
        config: EngineConfig,
        randomness: random.Random,
    ) -> None:
        self._job_store = job_store
        self._batch_store = batch_store
        self._sender = sender
        self._results = results
        self._catalogue = catalogue
        self._shown = progress
        self._reader = reader
        self._reconciler = JobReconciler(
            batch_store=batch_store,
            reconciliations=reconciliations,
            results=results,
            reader=reader,
            provider_status=provider_status,
            clock=clock,
            config=config,
        )
        self._provider_status = provider_status
        self._storage_gate = storage_gate
        self._decode_guard = decode_guard
        self._clock = clock
        self._config = config
        self._schedule = PollSchedule(job_store=job_store, clock=clock, config=config, randomness=randomness)
        self._batch_poller = BatchPoller(
            job_store=job_store,
            batch_store=batch_store,
            sender=sender,
            reader=reader,
            schedule=self._schedule,
            progress=progress,
            catalogue=catalogue,
            randomness=randomness,
        )

    def forget(self, job_id: str) -> None:
        """Forget an ended job, or a job of another worker."""
        progress = self._schedule.forget(job_id)
        if progress is not None:
            self._results.forget(progress.download)
        self._reader.forget(job_id)
        self._shown.forget(job_id)
        self._decode_guard.forget(job_id)

    def seconds_to_next_read(self, job_id: str) -> float:
        """Return the seconds until a job's status may be read again."""
        return self._reader.seconds_to_next_read(job_id)

    async def advance(self, job: Job, attempt: Attempt) -> StepResult:
        """Do the next step of a submitted job; `attempt` is its last."""
        # The first call of a batch names it, so a last call with another number is one of several.
        batch = (attempt,) if attempt.batch == attempt.number else await self._batch_store.get(job.id)
        if job.state is State.STORING:
            return await self._store(job, batch)
        if len(batch) > 1:
            return await self._batch_poller.advance(job, batch)
        if job.state is State.UNKNOWN:
            return await self._check_unknown(job, attempt)
        return await self._poll(job, attempt)

    async def reconcile(self, job: Job) -> None:
        """Ask a provider about an ended job without a known outcome."""
        await self._reconciler.reconcile(job)

    async def _check_unknown(self, job: Job, attempt: Attempt) -> StepResult:
        """Read the status once the job has a handle; give up in time."""
        if attempt.result:  # a late answer, recorded by another process
            late = Finished(image_urls=attempt.result, handle=attempt.handle)
            return StepResult(job=await self._job_store.mark_storing(job, late), next_step_in=0.0)
        if attempt.handle is None:
            return await self._ask_for(job, attempt)
        provider = await self._reader.provider_of(attempt)
        if provider is not None:
            if (wait := self.seconds_to_next_read(job.id)) > 0:
                return StepResult(job=job, next_step_in=wait)
            status = await self._reader.read(job, attempt, provider, attempt.handle)
            if isinstance(status, Finished):
                return StepResult(job=await self._job_store.mark_storing(job, status), next_step_in=0.0)
            if isinstance(status, Failed):
                return StepResult(job=await self._fail(job, status))
            if isinstance(status, Cancelled):
                return StepResult(job=await self._job_store.mark_failed(job, FaultKind.GENERATION))
        left = self._schedule.unknown_time_left(job, attempt)
        if left <= 0:
            return await self._give_up(job, attempt)
        return StepResult(job=job, next_step_in=min(left, self._config.poll_ceiling))

    async def _ask_for(self, job: Job, attempt: Attempt) -> StepResult:
        """Ask the provider for a job without a handle, or wait for its webhook."""
        left = self._schedule.unknown_time_left(job, attempt)
        offer = self._catalogue.find_offer(attempt.provider, job.request.model)
        has_callback = attempt.webhook_hash is not None
        match await self._sender.find(job, attempt, offer, has_callback=has_callback):
            case Pending(handle=handle):
                await self._job_store.record_handle(attempt, handle)
                return StepResult(job=job, next_step_in=0.0)
            case ProviderError() as never_taken:
                return StepResult(job=await self._job_store.mark_never_taken(job, never_taken))
            case LostReply(is_billed=False):
                return StepResult(job=await self._job_store.mark_failed(job, FaultKind.REPLY_LOST))
            case LostReply(may_come=True, ask_again=ask_again) if left > 0:
                return StepResult(job=job, next_step_in=min(left, ASK_SECONDS) if ask_again else left)
            case _:
                return await self._give_up(job, attempt)

    async def _give_up(self, job: Job, attempt: Attempt) -> StepResult:
        """Give up an UNKNOWN job, unless its hold stays until the deadline."""
        given_up = await self._job_store.give_up(job)
        if given_up.state.ended:
            _log.error("job.unknown", job=job.id, provider=attempt.provider)
            return StepResult(job=given_up)
        progress = self._schedule.progress_of(job)
        if refresh := not progress.hold_shown:
            _log.warning("job.hold_kept", job=job.id, provider=attempt.provider)
        progress.hold_shown = True
        # Not at the deadline alone: another process may record the handle of a late reply.
        pause = min(max(1.0, self._schedule.time_left(job)), LONGEST_POLL_PAUSE_SECONDS)
        return StepResult(job=job, next_step_in=pause, refresh_card=refresh)

    async def _poll(self, job: Job, attempt: Attempt) -> StepResult:
        if attempt.handle is None:
            return StepResult(job=await self._job_store.mark_failed(job, FaultKind.MALFORMED, may_be_billed=True))
        provider = await self._reader.provider_of(attempt)
        progress = self._schedule.progress_of(job, attempt)
        has_callback = attempt.webhook_hash is not None
        if provider is None:
            # The provider's key was removed from the settings and may come back.
            return await self._schedule.next_poll(job, progress, has_callback=has_callback)
        if job.cancel_requested_at is not None and not job.cancel_refused:
            outcome = await self._reader.try_cancel(job, provider, attempt.handle)
            if outcome is CancelOutcome.CANCELLED:
                return StepResult(job=await self._job_store.mark_cancelled(job))
            if outcome in (CancelOutcome.STARTED, CancelOutcome.UNSUPPORTED):
                refused = await self._job_store.mark_cancel_refused(job)
                return await self._schedule.next_poll(refused, progress, has_callback=has_callback, refresh_card=True)
        if (wait := self.seconds_to_next_read(job.id)) > 0:
            return StepResult(job=job, next_step_in=wait)
        status = await self._reader.read(job, attempt, provider, attempt.handle)
        return await self._apply_status(job, attempt, progress, status)

    async def _apply_status(
        self, job: Job, attempt: Attempt, progress: PollProgress, status: Status | ProviderError
    ) -> StepResult:
        """Record a job's status."""
        has_callback = attempt.webhook_hash is not None
        match status:
            case ProviderError():
                if self._schedule.is_long_gone(progress, attempt, status):
                    gone = await self._job_store.mark_failed(job, FaultKind.NOT_FOUND, may_be_billed=True)
                    return StepResult(job=gone)
                return await self._schedule.next_poll(
                    job, progress, has_callback=has_callback, at_least=status.retry_after or 0.0
                )
            case Pending():
                progress.absences.clear()
                moved = self._shown.record(job.id, status)
                if status.running and job.state is State.QUEUED:
                    job = await self._job_store.mark_running(job)
                return await self._schedule.next_poll(job, progress, has_callback=has_callback, refresh_card=moved)
            case Finished():
                storing = await self._job_store.mark_storing(job, status)
                return await self._store(storing, (replace(attempt, result=status.image_urls),))
            case Failed():
                return StepResult(job=await self._fail(job, status))
            case Cancelled():
                return StepResult(job=await self._job_store.mark_cancelled(job))

    async def _store(self, job: Job, batch: Sequence[Attempt]) -> StepResult:
        urls = tuple(dict.fromkeys(url for call in batch for url in call.result))
        provider = batch[-1].provider
        progress = self._schedule.progress_of(job)
        now = self._clock.monotonic()
        if progress.downloads == 0:
            progress.downloading_since = now
        progress.downloads += 1
        complete = await self._results.download(job, provider, urls, progress.download)
        if not complete and now - progress.downloading_since <= DOWNLOAD_SECONDS:
            return StepResult(job=job, next_step_in=min(2.0**progress.downloads, _LONGEST_DOWNLOAD_PAUSE_SECONDS))
        images = progress.download.images(job, urls)
        if images:
            ended = await self._job_store.mark_done(job, images)
            self._provider_status.record_images(job, provider, images)
        else:
            known = not complete and len(batch) == 1 and batch[0].handle is not None
            taken_down = FaultKind.TAKEN_DOWN if progress.download.taken_down else None
            fault = taken_down or (FaultKind.STORAGE if self._storage_gate.is_disk_closed else FaultKind.NO_PICTURES)
            ended = await self._job_store.mark_failed(job, fault, reconcile=known, may_be_billed=True)
        await self._results.drop(urls)
        return StepResult(job=ended)

    async def _fail(self, job: Job, answer: Failed) -> Job:
        log_failure(job, answer)
        return await self._job_store.mark_failed(job, answer.kind, answer)
