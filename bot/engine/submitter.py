"""Submit of a claimed job, once, and the record of its outcome."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import structlog
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from bot.domain.errors import AtelierError, ProviderError, StaleJobError
from bot.domain.jobs import Attempt, Job, State
from bot.engine.claimer import Claim
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.fault_attribution import attribute_failure, attribute_refusal, level_of, log_failure
from bot.engine.job_store import JobStore
from bot.engine.provider_status import ProviderStatus, SubmitEpochs
from bot.engine.step_result import StepResult
from bot.engine.submissions import SubmissionBuilder
from bot.providers.base import Failed, Finished, Pending, Provider, SubmitAnswer

_log = structlog.get_logger(__name__)

_LONGEST_PERSIST_PAUSE_SECONDS: Final = 30.0
# Values that no database accepts, or a fault of ours: a retry cannot succeed, and the job must end some day.
_UNWRITABLE: Final = (ArithmeticError, ValueError, TypeError, DataError, IntegrityError, ProgrammingError)


class Submitter:
    """Submits claimed jobs and records their outcome."""

    def __init__(
        self,
        *,
        job_store: JobStore,
        providers: Mapping[str, Provider],
        submissions: SubmissionBuilder,
        provider_status: ProviderStatus,
        clock: Clock,
        config: EngineConfig,
        randomness: random.Random,
    ) -> None:
        self._job_store = job_store
        self._providers = providers
        self._submissions = submissions
        self._provider_status = provider_status
        self._clock = clock
        self._config = config
        self._random = randomness
        self._epochs: dict[str, SubmitEpochs] = {}

    def record_start(self, claim: Claim) -> None:
        """Record the start of a submit.

        A failing provider gets one submit at a time.
        """
        self._epochs[claim.job.id] = self._provider_status.record_start(claim.offer)

    def forget(self, job_id: str) -> None:
        """Forget a job of another worker."""
        self._epochs.pop(job_id, None)

    async def submit(self, claim: Claim) -> StepResult:
        """Send a claimed job once and record its outcome."""
        job, provider, call = claim.job, claim.offer.provider, claim.calls[0]
        url = None if call.callback_url is None else call.callback_url.url
        epochs = self._epochs.pop(job.id, None)
        try:
            submission = await self._submissions.build(
                job, call.attempt, claim.offer, self._providers[provider], webhook_url=url
            )
            answer = await self._providers[provider].submit(submission)
        except ProviderError as error:
            error = attribute_refusal(error, job.request, has_callback=url is not None)
            self._provider_status.record_refusal(claim.offer, error, epochs, member_id=job.place.member_id)
            if error.maybe_accepted:
                _log.error("submit.reply_lost", job=job.id, provider=provider, fault=error.kind, status=error.status)
                return await self._reply_lost(job, has_callback=url is not None)
            _log.log(
                level_of(error.kind),
                "submit.refused",
                job=job.id,
                provider=provider,
                fault=error.kind,
                status=error.status,
                detail=error.detail,
            )
            jitter = self._random.random()
            refused = await self._retry_until_persisted(partial(self._job_store.mark_refused, job, error, jitter))
            return StepResult(job=refused, next_step_in=0.0 if refused.state is State.HELD else None)
        except Exception:  # noqa: BLE001 - whatever it was, it may have come after the request was sent
            _log.exception("submit.broke", job=job.id, provider=provider)
            self._provider_status.record_lost_reply(claim.offer, epochs)
            return await self._reply_lost(job, has_callback=url is not None)
        answer = attribute_failure(answer, job.request)
        self._provider_status.record_answer(claim.offer, answer, epochs)
        try:
            return await self._persist_answer(job, answer)
        except StaleJobError:
            # Another worker gave the job up meanwhile, but only this one knows the provider's handle.
            if answer.handle is not None:
                await self._job_store.record_late_handle(job, answer.handle)
            raise

    async def handle_interrupted(self, job: Job, attempt: Attempt | None) -> StepResult:
        """Record a lost reply for a submit of an ended process.

        The job may have been sent: it is never sent again.
        """
        _log.error("submit.interrupted", job=job.id, provider=job.provider)
        return await self._reply_lost(job, has_callback=attempt is not None and attempt.webhook_hash is not None)

    async def _persist_answer(self, job: Job, answer: SubmitAnswer) -> StepResult:
        """Store the provider's answer to a submit."""
        match answer:
            case Pending():
                accepted = await self._retry_until_persisted(lambda: self._job_store.mark_accepted(job, answer))
                return StepResult(job=accepted, next_step_in=self._config.poll_floor)
            case Finished():
                return StepResult(
                    job=await self._retry_until_persisted(lambda: self._job_store.mark_storing(job, answer)),
                    next_step_in=0.0,
                )
            case Failed():
                log_failure(job, answer)
                return StepResult(
                    job=await self._retry_until_persisted(lambda: self._job_store.mark_failed(job, answer.kind, answer))
                )

    async def _reply_lost(self, job: Job, *, has_callback: bool) -> StepResult:
        """Store a submit with an unknown outcome."""
        unknown = await self._retry_until_persisted(
            partial(self._job_store.mark_reply_lost, job, has_callback=has_callback)
        )
        # At once: a webhook may have arrived before the reply and named the job to another process.
        return StepResult(job=unknown, next_step_in=None if unknown.state.ended else 0.0)

    async def _retry_until_persisted(self, write: Callable[[], Awaitable[Job]]) -> Job:
        """Store a submit's answer, however long the database is away.

        The answer exists nowhere else.
        """
        pause = 1.0
        while True:
            try:
                return await write()
            except (AtelierError, *_UNWRITABLE):
                raise
            except Exception:  # noqa: BLE001 - a full disk, a locked file, a lost connection
                _log.exception("submit.not_written", pause=pause)
            await self._clock.wait(asyncio.Event(), pause)
            pause = min(2 * pause, _LONGEST_PERSIST_PAUSE_SECONDS)
