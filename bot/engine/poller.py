"""Steps of a submitted job: poll, download the images, or give up."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import structlog

from bot.domain.costs import is_billed
from bot.domain.credits import RiskOutcome
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Job, State
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.decode_guard import DecodeGuard
from bot.engine.fault_attribution import attribute_failure, log_failure
from bot.engine.job_store import JobStore
from bot.engine.provider_status import ProviderStatus
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.result_downloader import ResultDownloader, ResultDownloadProgress
from bot.engine.retry_policy import expected_polls, poll_pause
from bot.engine.step_result import StepResult
from bot.engine.storage_gate import StorageGate
from bot.images.image_service import ImageService
from bot.providers.base import Cancelled, CancelOutcome, Failed, Finished, Pending, Provider, Status

_log = structlog.get_logger(__name__)

DOWNLOAD_SECONDS: Final = 900.0
"""Time to download finished images: providers keep them for a day or more, so an outage can be waited out."""

# A 404 right after the submit may only be a delay at the provider.
_NOT_FOUND_TRIES: Final = 3
_NOT_FOUND_SECONDS: Final = 60.0
_LONGEST_DOWNLOAD_PAUSE_SECONDS: Final = 60.0
_LONGEST_POLL_PAUSE_SECONDS: Final = 60.0
_CONCURRENT_POLLS: Final = 64
# With a webhook, polling is only a safety net and this many times slower.
_CALLBACK_SLOWDOWN: Final = 4


@dataclass(slots=True)
class _Progress:
    """Progress of a job between its steps.

    A restart loses it; the next step only comes sooner.
    """

    polls: int = 0
    not_found: int = 0
    not_found_since: float = 0.0
    downloads: int = 0
    downloading_since: float = 0.0
    download: ResultDownloadProgress = field(default_factory=ResultDownloadProgress)
    slow_shown: bool = False
    hold_shown: bool = False


class JobPoller:
    """Polls submitted jobs and records their outcome."""

    def __init__(
        self,
        *,
        job_store: JobStore,
        reconciliations: ReconciliationStore,
        providers: Mapping[str, Provider],
        provider_status: ProviderStatus,
        image_service: ImageService,
        storage_gate: StorageGate,
        decode_guard: DecodeGuard,
        clock: Clock,
        config: EngineConfig,
        randomness: random.Random,
    ) -> None:
        self._job_store = job_store
        self._reconciliations = reconciliations
        self._providers = providers
        self._provider_status = provider_status
        self._clock = clock
        self._config = config
        self._random = randomness
        self._progress: dict[str, _Progress] = {}
        self._read_at: dict[str, float] = {}
        # One for each provider: a hanging provider must not delay the jobs of the others.
        self._poll_slots = {provider: asyncio.Semaphore(_CONCURRENT_POLLS) for provider in providers}
        self._storage_gate = storage_gate
        self._decode_guard = decode_guard
        self._result_downloader = ResultDownloader(image_service, storage_gate, decode_guard, job_store)

    def forget(self, job_id: str) -> None:
        """Forget an ended job, or a job of another worker."""
        progress = self._progress.pop(job_id, None)
        if progress is not None:
            self._result_downloader.forget(progress.download)
        self._read_at.pop(job_id, None)
        self._decode_guard.forget(job_id)

    def seconds_to_next_read(self, job_id: str) -> float:
        """Return the seconds until a job's status may be read again.

        Two reads are at least the poll floor apart, whatever asks for them.
        """
        read_at = self._read_at.get(job_id)
        return 0.0 if read_at is None else max(0.0, read_at + self._config.poll_floor - self._clock.monotonic())

    async def advance(self, job: Job, attempt: Attempt) -> StepResult:
        """Do the next step of a submitted job."""
        match job.state:
            case State.UNKNOWN:
                return await self._check_unknown(job, attempt)
            case State.STORING:
                return await self._store(job, attempt)
            case _:
                return await self._poll(job, attempt)

    async def reconcile(self, job: Job, attempt: Attempt | None) -> None:
        """Ask a provider about an ended job without a known outcome.

        Images that arrive now are free.
        """
        known_until = job.created_at + timedelta(seconds=self._config.reconcile_for)
        provider = None if attempt is None else self._providers.get(attempt.provider)
        if attempt is None or attempt.handle is None or self._clock.now() > known_until:
            await self._reconciliations.finish(job)
            return
        if provider is None:
            return  # its key was removed from the settings and may come back
        status = await self._read_status(job, provider, attempt.handle)
        if isinstance(status, Finished):
            download = ResultDownloadProgress()
            if await self._result_downloader.download(job, attempt.provider, status.image_urls, download):
                images = download.images(job, status.image_urls)
                _log.info("job.came_late", job=job.id, provider=attempt.provider, pictures=len(images))
                await self._reconciliations.finish(job, images, status.cost, outcome=RiskOutcome.OWED)
                self._provider_status.record_images(job, attempt.provider, images)
        elif isinstance(status, Failed | Cancelled):
            billed = isinstance(status, Failed) and is_billed(status.cost)
            outcome = RiskOutcome.OWED if billed else RiskOutcome.DROPPED
            await self._reconciliations.finish(job, outcome=outcome)
        elif _is_not_found(status):
            await self._reconciliations.finish(job)  # forgotten, not unmade: its cost stays at risk

    async def _check_unknown(self, job: Job, attempt: Attempt) -> StepResult:
        """Read the status once a webhook named the job; give up in time."""
        provider = self._providers.get(attempt.provider)
        if attempt.handle is not None and provider is not None:
            if (wait := self.seconds_to_next_read(job.id)) > 0:
                return StepResult(job=job, next_step_in=wait)
            status = await self._read_status(job, provider, attempt.handle)
            if isinstance(status, Finished):
                return StepResult(job=await self._job_store.mark_storing(job, status), next_step_in=0.0)
            if isinstance(status, Failed):
                return StepResult(job=await self._fail(job, status))
            if isinstance(status, Cancelled):
                return StepResult(job=await self._job_store.mark_failed(job, FaultKind.GENERATION))
        left = self._unknown_time_left(job, attempt)
        if attempt.webhook_hash is None or left <= 0:
            return await self._give_up(job, attempt)
        return StepResult(
            job=job, next_step_in=left if attempt.handle is None else min(left, self._config.poll_ceiling)
        )

    def _unknown_time_left(self, job: Job, attempt: Attempt) -> float:
        """Return the seconds left for a webhook after a lost reply.

        The wait ends before the card does, so that the card can show the end.
        """
        now = self._clock.now()
        waited = (now - attempt.started_at) / timedelta(seconds=1)
        left = self._config.unknown_wait - abs(waited)  # a clock set back must not hold credits for ever
        left = min(left, self._config.hard_deadline - self._age(job))
        closes = job.card_closes_at
        return left if closes is None else min(left, (closes - now) / timedelta(seconds=1))

    async def _give_up(self, job: Job, attempt: Attempt) -> StepResult:
        """Give up an UNKNOWN job, unless its hold stays until the deadline."""
        given_up = await self._job_store.give_up(job)
        if given_up.state.ended:
            _log.error("job.unknown", job=job.id, provider=attempt.provider)
            return StepResult(job=given_up)
        progress = self._progress.setdefault(job.id, _Progress())
        if refresh := not progress.hold_shown:
            _log.warning("job.hold_kept", job=job.id, provider=attempt.provider)
        progress.hold_shown = True
        # Not at the deadline alone: another process may record the handle of a late reply.
        pause = min(max(1.0, self._config.hard_deadline - self._age(job)), _LONGEST_POLL_PAUSE_SECONDS)
        return StepResult(job=job, next_step_in=pause, refresh_card=refresh)

    async def _poll(self, job: Job, attempt: Attempt) -> StepResult:
        if attempt.handle is None:
            return StepResult(job=await self._job_store.mark_failed(job, FaultKind.MALFORMED, may_be_billed=True))
        provider = self._providers.get(attempt.provider)
        if job.id not in self._progress:
            polled = expected_polls((self._clock.now() - attempt.started_at) / timedelta(seconds=1), self._config)
            self._progress[job.id] = _Progress(polls=polled)
        progress = self._progress[job.id]
        has_callback = attempt.webhook_hash is not None
        if provider is None:
            # The provider's key was removed from the settings and may come back.
            return await self._schedule_next_poll(job, progress, has_callback=has_callback)
        if job.cancel_requested_at is not None and not job.cancel_refused:
            outcome = await self._try_cancel(job, provider, attempt.handle)
            if outcome is CancelOutcome.CANCELLED:
                return StepResult(job=await self._job_store.mark_cancelled(job))
            if outcome in (CancelOutcome.STARTED, CancelOutcome.UNSUPPORTED):
                refused = await self._job_store.mark_cancel_refused(job)
                return await self._schedule_next_poll(refused, progress, has_callback=has_callback, refresh_card=True)
        if (wait := self.seconds_to_next_read(job.id)) > 0:
            return StepResult(job=job, next_step_in=wait)
        return await self._apply_status(job, attempt, progress, await self._read_status(job, provider, attempt.handle))

    async def _apply_status(
        self, job: Job, attempt: Attempt, progress: _Progress, status: Status | ProviderError
    ) -> StepResult:
        """Record a job's status."""
        has_callback = attempt.webhook_hash is not None
        match status:
            case ProviderError():
                return await self._poll_failed(job, progress, status, has_callback=has_callback)
            case Pending(running=True) if job.state is State.QUEUED:
                progress.not_found = 0
                return await self._schedule_next_poll(
                    await self._job_store.mark_running(job), progress, has_callback=has_callback
                )
            case Pending():
                progress.not_found = 0
                return await self._schedule_next_poll(job, progress, has_callback=has_callback)
            case Finished():
                storing = await self._job_store.mark_storing(job, replace(status, handle=attempt.handle))
                return await self._store(storing, replace(attempt, result=status.image_urls))
            case Failed():
                return StepResult(job=await self._fail(job, status))
            case Cancelled():
                return StepResult(job=await self._job_store.mark_cancelled(job))

    async def _try_cancel(self, job: Job, provider: Provider, handle: str) -> CancelOutcome | None:
        """Ask the provider to cancel the job; None if the request failed."""
        try:
            return await provider.cancel(handle)
        except ProviderError as error:
            _log.warning("cancel.failed", job=job.id, provider=provider.name, fault=error.kind, status=error.status)
            return None  # the status is read next: the job may have finished

    async def _poll_failed(
        self, job: Job, progress: _Progress, error: ProviderError, *, has_callback: bool
    ) -> StepResult:
        if error.kind is FaultKind.NOT_FOUND:
            now = self._clock.monotonic()
            if progress.not_found == 0:
                progress.not_found_since = now
            progress.not_found += 1
            long_gone = now - progress.not_found_since >= _NOT_FOUND_SECONDS
            if long_gone and progress.not_found >= _NOT_FOUND_TRIES:
                return StepResult(job=await self._job_store.mark_failed(job, FaultKind.NOT_FOUND, may_be_billed=True))
        return await self._schedule_next_poll(
            job, progress, has_callback=has_callback, at_least=error.retry_after or 0.0
        )

    async def _store(self, job: Job, attempt: Attempt) -> StepResult:
        progress = self._progress.setdefault(job.id, _Progress())
        now = self._clock.monotonic()
        if progress.downloads == 0:
            progress.downloading_since = now
        progress.downloads += 1
        complete = await self._result_downloader.download(job, attempt.provider, attempt.result, progress.download)
        if not complete and now - progress.downloading_since <= DOWNLOAD_SECONDS:
            return StepResult(job=job, next_step_in=min(2.0**progress.downloads, _LONGEST_DOWNLOAD_PAUSE_SECONDS))
        images = progress.download.images(job, attempt.result)
        if not images:
            known = not complete and attempt.handle is not None
            is_ours = self._storage_gate.is_disk_closed
            fault = FaultKind.STORAGE if is_ours else FaultKind.NO_PICTURES
            failed = await self._job_store.mark_failed(job, fault, reconcile=known, may_be_billed=True)
            return StepResult(job=failed)
        done = await self._job_store.mark_done(job, images)
        self._provider_status.record_images(job, attempt.provider, images)
        return StepResult(job=done)

    async def _read_status(self, job: Job, provider: Provider, handle: str) -> Status | ProviderError:
        """Read a job's status and record the provider's health."""
        status: Status | ProviderError
        try:
            async with self._poll_slots[provider.name]:
                answer = await provider.poll(handle, hide=(job.request.instruction,))
            status = attribute_failure(answer, job.request)
        except ProviderError as error:
            _log.warning(
                "poll.failed",
                job=job.id,
                provider=error.provider,
                fault=error.kind,
                status=error.status,
                detail=error.detail,
            )
            status = error
        self._read_at[job.id] = self._clock.monotonic()
        self._provider_status.record_status(provider.name, job.request.model, status)
        return status

    async def _schedule_next_poll(
        self, job: Job, progress: _Progress, *, has_callback: bool, refresh_card: bool = False, at_least: float = 0.0
    ) -> StepResult:
        """Return the pause to the next poll; past the hard deadline, give up."""
        age = self._age(job)
        if age >= self._config.hard_deadline:
            _log.error("job.lost", job=job.id, provider=job.provider)
            return StepResult(job=await self._job_store.mark_lost(job))
        late = age > self._config.soft_deadline and not progress.slow_shown
        progress.slow_shown = progress.slow_shown or late
        pause = poll_pause(progress.polls, self._random.random(), self._config) * (
            _CALLBACK_SLOWDOWN if has_callback else 1
        )
        progress.polls += 1
        pause = min(max(pause, at_least), max(_LONGEST_POLL_PAUSE_SECONDS, self._config.poll_floor))
        return StepResult(
            job=job, next_step_in=min(pause, self._config.hard_deadline - age), refresh_card=refresh_card or late
        )

    async def _fail(self, job: Job, answer: Failed) -> Job:
        log_failure(job, answer)
        return await self._job_store.mark_failed(job, answer.kind, answer)

    def _age(self, job: Job) -> float:
        return (self._clock.now() - job.created_at) / timedelta(seconds=1)


def _is_not_found(answer: object) -> bool:
    return isinstance(answer, ProviderError) and answer.kind is FaultKind.NOT_FOUND
