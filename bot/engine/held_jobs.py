"""Jobs in HELD: card, input images, deadlines."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog

from bot.domain.attachments import is_fetchable
from bot.domain.errors import FaultKind
from bot.domain.jobs import Job
from bot.domain.models import Offer
from bot.engine.card_store import CardStore
from bot.engine.claimer import has_input_urls
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.input_downloader import InputDownloader
from bot.engine.input_publisher import InputPublisher, PublishError
from bot.engine.input_store import InputStore
from bot.engine.job_store import JobStore
from bot.engine.observer import JobObserver
from bot.engine.prompt_moderation import PromptModeration
from bot.engine.provider_statuses import ProviderStatuses
from bot.engine.step_result import StepResult
from bot.engine.storage_gate import PROBE_SECONDS, StorageGate
from bot.images.disk_space import MEGABYTE

_log = structlog.get_logger(__name__)

# Discord accepts a first response for 3 seconds: a card that is missing by now will not appear by itself.
ACK_TIMEOUT_SECONDS: Final = 20.0

_LATE_CHECK_SECONDS: Final = 60.0
# Longer than any time between two steps, and than a provider takes to fetch an input after the submit.
_PUBLISHED_AHEAD: Final = timedelta(minutes=15)
_PUBLISH_SECONDS: Final = 600.0
_LONGEST_PAUSE_SECONDS: Final = 30.0


class HeldJobs:
    """Gets jobs ready for their submit, or ends them.

    The dispatcher submits them.
    """

    def __init__(
        self,
        *,
        job_store: JobStore,
        input_store: InputStore,
        card_store: CardStore,
        input_downloader: InputDownloader,
        input_publisher: InputPublisher | None,
        moderation: PromptModeration,
        statuses: ProviderStatuses,
        storage_gate: StorageGate,
        observer: JobObserver,
        clock: Clock,
        config: EngineConfig,
    ) -> None:
        self._job_store = job_store
        self._input_store = input_store
        self._card_store = card_store
        self._input_downloader = input_downloader
        self._input_publisher = input_publisher
        self._moderation = moderation
        self._publications: dict[str, tuple[float, int]] = {}  # the monotonic time of the first try, and the tries
        self._statuses = statuses
        self._storage_gate = storage_gate
        self._observer = observer
        self._clock = clock
        self._config = config

    def interrupt(self, job_id: str) -> None:
        """Stop the download of a job's input images; its next step is due then."""
        self._input_downloader.interrupt(job_id)

    def interrupt_all(self) -> None:
        """Stop the download of all input images: this process ends."""
        self._input_downloader.interrupt_all()

    def forget(self, job_id: str) -> None:
        """Drop the downloaded inputs of an ended or foreign job."""
        self._publications.pop(job_id, None)
        self._moderation.forget(job_id)
        self._input_downloader.forget(job_id)

    async def advance(self, job: Job) -> StepResult:
        """Do the next step of a job in HELD."""
        if job.acknowledged_at is None:
            return await self._check_acknowledged(job)
        if job.cancel_requested_at is not None:
            return StepResult(job=await self._job_store.mark_cancelled(job))
        if self._age(job) > self._config.hard_deadline:
            return StepResult(job=await self._job_store.mark_lost(job))
        if job.own_key and (fault := await self._job_store.key_fault(job)) is not None:
            return StepResult(job=await self._job_store.mark_failed(job, fault))
        if not job.prepared and not self._moderation.has_passed(job):
            return await self._moderate(job)
        if self._input_publisher is not None and all(image.file is not None for image in job.request.inputs):
            if not has_input_urls(job, self._clock.now() + _PUBLISHED_AHEAD):
                if await self._job_store.needs_input_urls(job):
                    return await self._publish(job, self._input_publisher)
                if not job.prepared:
                    prepared = await self._input_store.mark_prepared(job, {})
                    return StepResult(job=prepared, next_step_in=0.0, refresh_card=True)
        elif not job.prepared:
            return await self._prepare(job)
        return await self._check_deadlines(job)

    async def _check_acknowledged(self, job: Job) -> StepResult:
        """Fail a job without a card.

        A card found on Discord counts as the acknowledgement.
        """
        left = ACK_TIMEOUT_SECONDS - self._age(job)
        if left > 0:
            # Never above the timeout, also if the wall clock was set back.
            return StepResult(job=job, next_step_in=min(left, ACK_TIMEOUT_SECONDS))
        found = await self._observer.find_card(job)
        if found is None:
            return StepResult(job=job, next_step_in=self._config.poll_ceiling)
        if found.is_foreign:
            return StepResult(job=await self._job_store.mark_withdrawn(job, found.other_job_id))
        if not found.exists:
            _log.warning("job.unacknowledged", job=job.id)
            return StepResult(job=await self._job_store.mark_failed(job, FaultKind.UNACKNOWLEDGED))
        await self._card_store.mark_acknowledged(job.id, found.message_id, private=found.is_private)
        return StepResult(job=job, next_step_in=0.0)

    async def _moderate(self, job: Job) -> StepResult:
        """Check the prompt; the job goes on then, or it fails."""
        if await self._moderation.refuses(job):
            _log.info("job.moderated", job=job.id)
            return StepResult(job=await self._input_store.mark_inputs_failed(job, FaultKind.MODERATION, {}))
        if job.request.inputs:
            return StepResult(job=job, next_step_in=0.0)
        prepared = await self._input_store.mark_prepared(job, {})
        self._moderation.forget(job.id)
        return StepResult(job=prepared, next_step_in=0.0, refresh_card=True)

    async def _prepare(self, job: Job) -> StepResult:
        """Download and check the input images.

        The job is queued then, or it fails.
        """
        if self._storage_gate.is_disk_closed:
            if self._waits_too_long_for_storage(job):
                return StepResult(job=await self._input_store.mark_inputs_failed(job, FaultKind.STORAGE, {}))
            return StepResult(job=job, next_step_in=PROBE_SECONDS, refresh_card=True)
        room = await self._room_of(job.place.member_id)
        outcome = await self._input_downloader.prepare(job, self._clock.monotonic(), room)
        if isinstance(outcome, float):
            return StepResult(job=job, next_step_in=outcome)
        if outcome.fault is not None:
            _log.warning("job.unprepared", job=job.id, fault=outcome.fault)
            return StepResult(job=await self._input_store.mark_inputs_failed(job, outcome.fault, outcome.files))
        queued = self._input_publisher is None or not await self._job_store.needs_input_urls(job)
        prepared = await self._input_store.mark_prepared(job, outcome.files, queued=queued)
        self._input_downloader.forget(job.id)
        return StepResult(job=prepared, next_step_in=0.0, refresh_card=queued)

    async def _publish(self, job: Job, publisher: InputPublisher) -> StepResult:
        """Publish the sanitized inputs; the job is queued then, or it fails.

        If a crash hides that they are published, they are published again in their own place.
        """
        now = self._clock.monotonic()
        since, tries = self._publications.get(job.id, (now, 0))
        try:
            urls = await publisher.publish(job)
        except PublishError as error:
            fault = error.fault
            if fault is None and now - since < _PUBLISH_SECONDS:
                self._publications[job.id] = (since, tries + 1)
                pause = max(min(2.0 ** (tries + 1), _LONGEST_PAUSE_SECONDS), error.retry_after)
                return StepResult(job=job, next_step_in=pause)
            _log.warning("job.unpublished", job=job.id, fault=fault)
            failed = await self._input_store.mark_inputs_failed(job, fault or FaultKind.INPUT_UNPUBLISHED, {})
            return StepResult(job=failed)
        self._publications.pop(job.id, None)
        if not all(is_fetchable(url, self._clock.now() + _PUBLISHED_AHEAD) for url in urls):
            _log.error("job.published_too_briefly", job=job.id)  # publishing again would never end
            return StepResult(job=await self._input_store.mark_inputs_failed(job, FaultKind.INPUT_UNPUBLISHED, {}))
        published = await self._input_store.mark_published(job, urls)
        return StepResult(job=published, next_step_in=0.0, refresh_card=True)

    async def _check_deadlines(self, job: Job) -> StepResult:
        """Return the time of the next check of a queued job.

        A job fails at once if its model is gone, and once no provider has accepted it for too long.
        """
        age = self._age(job)
        status = self._statuses.operators
        if not job.own_key and status.has_withdrawn_offer(job.request.model):
            offers = await self._job_store.remaining_offers(job)
            if status.is_withdrawn(offers):
                return StepResult(job=await self._job_store.mark_failed(job, FaultKind.MODEL_UNAVAILABLE))
        if age <= self._config.soft_deadline:
            return StepResult(job=job, next_step_in=self._config.soft_deadline - age + 1.0)
        offers = await self._job_store.remaining_offers(job)
        fault = self._open_fault(offers, await self._job_store.usable_keys(job))
        if fault is not None:
            # Every offer left for this job has been failing for long: an error now is better than more waiting.
            return StepResult(job=await self._job_store.mark_failed(job, fault))
        if self._waits_too_long_for_storage(job):
            return StepResult(job=await self._job_store.mark_failed(job, FaultKind.STORAGE))
        left = self._config.hard_deadline - age + 1.0
        return StepResult(job=job, next_step_in=min(left, _LATE_CHECK_SECONDS), refresh_card=True)

    def _open_fault(self, offers: Sequence[Offer], keys: Mapping[str, str] | None) -> FaultKind | None:
        """Return a fault if all these offers have been failing for too long."""
        seconds = self._config.soft_deadline
        if keys is None:
            return self._statuses.operators.open_longer_than(offers, seconds)
        faults = [
            self._statuses.of(keys[offer.provider]).open_longer_than((offer,), seconds)
            for offer in offers
            if offer.provider in keys
        ]
        return None if None in faults else next(iter(faults), None)

    async def _room_of(self, member_id: int) -> int | None:
        """Return the space left for a member's images; None if unlimited."""
        megabytes = self._config.member_megabytes
        if megabytes is None:
            return None
        return megabytes * MEGABYTE - await self._input_store.stored_bytes(member_id)

    def _waits_too_long_for_storage(self, job: Job) -> bool:
        """Return whether a job's images could not be stored for too long."""
        seconds = self._config.soft_deadline
        return self._age(job) > seconds and self._storage_gate.blocks_longer_than(job.request, seconds)

    def _age(self, job: Job) -> float:
        return (self._clock.now() - job.created_at) / timedelta(seconds=1)
