"""Reading of a job's status, with the images of an answer on the disk."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Final

import structlog

from bot.domain.catalogue import Catalogue
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Job
from bot.engine.call_sender import with_list_price
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.fault_attribution import attribute_failure
from bot.engine.provider_pool import ProviderPool
from bot.engine.provider_statuses import ProviderStatuses
from bot.engine.result_downloader import ResultDownloader
from bot.providers.base import CancelOutcome, Failed, Finished, Provider, Status

_log = structlog.get_logger(__name__)

_CONCURRENT_POLLS: Final = 64


class StatusReader:
    """Reads statuses, a bounded number at a time, and asks for cancels."""

    def __init__(
        self,
        *,
        providers: Collection[str],
        pool: ProviderPool,
        statuses: ProviderStatuses,
        results: ResultDownloader,
        catalogue: Catalogue,
        clock: Clock,
        config: EngineConfig,
    ) -> None:
        self._pool = pool
        self._statuses = statuses
        self._results = results
        self._catalogue = catalogue
        self._clock = clock
        self._config = config
        self._read_at: dict[str, float] = {}
        # One for each provider: a hanging provider must not delay the jobs of the others.
        self._slots = {provider: asyncio.Semaphore(_CONCURRENT_POLLS) for provider in providers}

    def forget(self, job_id: str) -> None:
        """Forget an ended job, or a job of another worker."""
        self._read_at.pop(job_id, None)

    async def provider_of(self, attempt: Attempt) -> Provider | None:
        """Return the provider of a call; None without its key."""
        return await self._pool.provider_of(attempt)

    def seconds_to_next_read(self, job_id: str) -> float:
        """Return the seconds until a job's status may be read again.

        Two reads are at least the poll floor apart, whatever asks for them.
        """
        read_at = self._read_at.get(job_id)
        return 0.0 if read_at is None else max(0.0, read_at + self._config.poll_floor - self._clock.monotonic())

    async def read(self, job: Job, attempt: Attempt, provider: Provider, handle: str) -> Status | ProviderError:
        """Read a call's status and record the provider's health.

        The images of an answer are on the disk, and the answer has their addresses.
        """
        status: Status | ProviderError
        try:
            async with self._slots[provider.name]:
                answer = await provider.poll(handle, hide=job.request.words)
            status = await self._pool.attribute(attempt, attribute_failure(answer, job.request))
        except ProviderError as error:
            status = await self._pool.attribute(attempt, error)
            _log.warning(
                "poll.failed",
                job=job.id,
                provider=error.provider,
                fault=error.kind,
                status=error.status,
                detail=error.detail,
            )
        self._read_at[job.id] = self._clock.monotonic()
        self._statuses.of(attempt.key_id).record_status(provider.name, job.request.model, status)
        offer = self._catalogue.find_offer(attempt.provider, job.request.model)
        if offer is not None and isinstance(status, Finished | Failed):
            status = with_list_price(status, job, attempt, offer, self._clock.now().date())
        return await self._kept(job, attempt, status) if isinstance(status, Finished) else status

    async def _kept(self, job: Job, attempt: Attempt, answer: Finished) -> Finished | ProviderError:
        """Return a finished answer with addresses."""
        try:
            return replace(await self._results.keep(answer), handle=attempt.handle)
        except OSError as error:
            _log.error("picture.not_stored", job=job.id, error=type(error).__name__, errno=error.errno)
            return ProviderError(FaultKind.STORAGE, provider=attempt.provider)

    async def try_cancel(self, job: Job, provider: Provider, handle: str) -> CancelOutcome | None:
        """Ask the provider to cancel a call; None if the request failed."""
        try:
            return await provider.cancel(handle)
        except ProviderError as error:
            _log.warning("cancel.failed", job=job.id, provider=provider.name, fault=error.kind, status=error.status)
            return None  # the status is read next: the job may have finished
