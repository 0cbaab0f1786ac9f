"""Late answers about ended jobs: ask the provider, store the images."""

from datetime import timedelta

import structlog

from bot.domain.costs import is_billed
from bot.domain.credits import RiskOutcome
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Job, Outcome
from bot.engine.batch_store import BatchStore
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.provider_status import ProviderStatus
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.result_downloader import ResultDownloader, ResultDownloadProgress
from bot.engine.status_reader import StatusReader
from bot.providers.base import Cancelled, Failed, Finished, Pending

_log = structlog.get_logger(__name__)

_End = Finished | Failed | Cancelled | ProviderError
"""The end of a call; a `ProviderError` if the provider has forgotten it."""


class JobReconciler:
    """Learns the ends of the calls of ended jobs."""

    def __init__(
        self,
        *,
        batch_store: BatchStore,
        reconciliations: ReconciliationStore,
        results: ResultDownloader,
        reader: StatusReader,
        provider_status: ProviderStatus,
        clock: Clock,
        config: EngineConfig,
    ) -> None:
        self._batch_store = batch_store
        self._reconciliations = reconciliations
        self._results = results
        self._reader = reader
        self._provider_status = provider_status
        self._clock = clock
        self._config = config

    async def reconcile(self, job: Job) -> None:
        """Ask a provider about an ended job without a known outcome.

        Images that arrive now are free. Without the end of each known call, it is asked again later.
        """
        batch = [call for call in await self._batch_store.get(job.id) if call.outcome is not Outcome.REFUSED]
        calls = [call for call in batch if call.handle is not None or call.result]
        known_until = job.created_at + timedelta(seconds=self._config.reconcile_for)
        if not calls or self._clock.now() > known_until:
            await self._finish(job, calls)
            return
        ends = [await self._end_of(job, call) for call in calls]
        known = [end for end in ends if end is not None]
        if len(known) < len(calls):
            return
        if finished := [end for end in known if isinstance(end, Finished)]:
            await self._store(job, list(zip(calls, known, strict=True)), finished)
            return
        failed = [end for end in known if isinstance(end, Failed | Cancelled)]
        outcome = None  # forgotten, not unmade: its cost stays at risk
        if any(isinstance(end, Failed) and is_billed(end.cost) for end in failed):
            outcome = RiskOutcome.OWED
        elif len(failed) == len(batch):
            outcome = RiskOutcome.DROPPED
        await self._finish(job, calls, outcome)

    async def _end_of(self, job: Job, call: Attempt) -> _End | None:
        """Return the end of a call; None if it is not known now."""
        if call.result:
            return Finished(image_urls=call.result, cost=call.cost)
        provider = await self._reader.provider_of(call)
        if provider is None or call.handle is None:
            return None  # its key was removed from the settings and may come back
        status = await self._reader.read(job, call, provider, call.handle)
        if isinstance(status, Pending):
            return None
        if isinstance(status, ProviderError) and status.kind is not FaultKind.NOT_FOUND:
            return None
        return status

    async def _store(self, job: Job, ends: list[tuple[Attempt, _End]], finished: list[Finished]) -> None:
        """Store the late images."""
        urls = tuple(dict.fromkeys(url for end in finished for url in end.image_urls))
        provider = ends[0][0].provider
        download = ResultDownloadProgress()
        if not await self._results.download(job, provider, urls, download):
            return
        images = download.images(job, urls)
        _log.info("job.came_late", job=job.id, provider=provider, pictures=len(images))
        costs = [(call, end.cost) for call, end in ends if isinstance(end, Finished)]
        await self._reconciliations.finish(job, images, costs, outcome=RiskOutcome.OWED)
        self._provider_status.record_images(job, provider, images)
        await self._results.drop(urls)

    async def _finish(self, job: Job, calls: list[Attempt], outcome: RiskOutcome | None = None) -> None:
        await self._reconciliations.finish(job, outcome=outcome)
        await self._results.drop(url for call in calls for url in call.result)
