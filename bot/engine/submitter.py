"""Submit of a claimed job, each call once, and the record of the outcome."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from bot.domain.catalogue import Catalogue
from bot.domain.errors import AtelierError, FaultKind, ProviderError, StaleJobError
from bot.domain.jobs import Attempt, Job, State
from bot.domain.models import Offer
from bot.engine.batch_store import BatchStore, Reply, has_reply
from bot.engine.call_sender import CallResult, CallSender, LostReply
from bot.engine.claimer import Claim, ClaimedCall
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.fault_attribution import log_failure
from bot.engine.gather import gather_all
from bot.engine.job_store import JobStore
from bot.engine.provider_status import SubmitEpochs
from bot.engine.provider_statuses import ProviderStatuses
from bot.engine.result_downloader import ResultDownloader
from bot.engine.retry_policy import back_off
from bot.engine.step_result import StepResult
from bot.providers.base import Failed, Finished, Pending, SubmitAnswer

_log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")

_LONGEST_PERSIST_PAUSE_SECONDS: Final = 30.0
# Values that no database accepts, or a fault of ours: a retry cannot succeed, and the job must end some day.
_UNWRITABLE: Final = (ArithmeticError, ValueError, TypeError, DataError, IntegrityError, ProgrammingError)
# A call refused for a moment is sent again while the others of its job go on.
_REPEATED: Final = frozenset({FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE})
_TRIES_OF_PART: Final = 3
_LONGEST_PART_PAUSE_SECONDS: Final = 60.0


class Submitter:
    """Submits claimed jobs and records their outcome."""

    def __init__(
        self,
        *,
        job_store: JobStore,
        batch_store: BatchStore,
        sender: CallSender,
        results: ResultDownloader,
        catalogue: Catalogue,
        statuses: ProviderStatuses,
        clock: Clock,
        config: EngineConfig,
        randomness: random.Random,
    ) -> None:
        self._job_store = job_store
        self._batch_store = batch_store
        self._sender = sender
        self._results = results
        self._catalogue = catalogue
        self._statuses = statuses
        self._clock = clock
        self._config = config
        self._random = randomness
        self._epochs: dict[str, SubmitEpochs] = {}
        self._stopping = asyncio.Event()

    async def wait_synchronous(self, seconds: float, hurry: asyncio.Event | None) -> None:
        """Wait for the open calls to synchronous providers.

        From now on no refused call is sent again.
        """
        self._stopping.set()
        if count := self._sender.open_synchronous:
            _log.warning("submit.waiting", calls=count, seconds=seconds, remedy="A second signal ends the wait.")
            await self._sender.wait_synchronous(seconds, hurry or asyncio.Event())

    def record_start(self, claim: Claim) -> None:
        """Record the start of a submit.

        A failing provider gets one submit at a time.
        """
        self._epochs[claim.job.id] = self._statuses.of(claim.key_id).record_start(claim.offer)

    def forget(self, job_id: str) -> None:
        """Forget a job of another worker."""
        self._epochs.pop(job_id, None)

    async def submit(self, claim: Claim) -> StepResult:
        """Send the calls of a claimed job and record their outcome."""
        epochs = self._epochs.pop(claim.job.id, None)
        if len(claim.calls) > 1:
            return await self._submit_batch(claim, epochs)
        job, call = claim.job, claim.calls[0]
        result = await self._keep(await self._sender.send(job, call, claim.offer, epochs))
        try:
            return await self._persist(job, result)
        except StaleJobError:
            await self._record_late(call.attempt, result)
            raise

    async def handle_interrupted(self, job: Job, attempt: Attempt | None) -> StepResult:
        """Record the calls of an ended process.

        They may have been sent: none is sent again, unless its provider surely never took it.
        """
        _log.error("submit.interrupted", job=job.id, provider=job.provider)
        if attempt is None:
            return await self._persist(job, LostReply(may_come=False))
        batch = await self._batch_store.get(job.id)
        offer = self._catalogue.find_offer(attempt.provider, job.request.model)
        if len(batch) == 1:
            known = None if attempt.handle is None else Pending(handle=attempt.handle, running=False)
            return await self._persist(job, known or await self._find(job, attempt, offer))
        results: list[CallResult] = []
        for call in batch:
            if not has_reply(call):
                results.append(await self._find(job, call, offer))
                await self._record(job, call, results[-1])
        return await self._settle(job, results)

    async def _find(self, job: Job, call: Attempt, offer: Offer | None) -> CallResult:
        return await self._sender.find(job, call, offer, has_callback=call.webhook_hash is not None)

    async def _persist(self, job: Job, result: CallResult) -> StepResult:
        """Store the result of a job's only call."""
        match result:
            case ProviderError():
                jitter = self._random.random()
                refused = await self._until_persisted(partial(self._job_store.mark_refused, job, result, jitter))
                return StepResult(job=refused, next_step_in=0.0 if refused.state is State.HELD else None)
            case LostReply(is_billed=False):
                return StepResult(
                    job=await self._until_persisted(partial(self._job_store.mark_failed, job, FaultKind.REPLY_LOST))
                )
            case LostReply(may_come=may_come):
                unknown = await self._until_persisted(
                    partial(self._job_store.mark_reply_lost, job, has_callback=may_come)
                )
                # At once: a webhook may have arrived before the reply and named the job to another process.
                return StepResult(job=unknown, next_step_in=None if unknown.state.ended else 0.0)
            case _:
                return await self._persist_answer(job, result)

    async def _persist_answer(self, job: Job, answer: SubmitAnswer) -> StepResult:
        """Store the provider's answer to a submit."""
        match answer:
            case Pending():
                accepted = await self._until_persisted(lambda: self._job_store.mark_accepted(job, answer))
                return StepResult(job=accepted, next_step_in=self._config.poll_floor)
            case Finished():
                return StepResult(
                    job=await self._until_persisted(lambda: self._job_store.mark_storing(job, answer)),
                    next_step_in=0.0,
                )
            case Failed():
                log_failure(job, answer)
                return StepResult(
                    job=await self._until_persisted(lambda: self._job_store.mark_failed(job, answer.kind, answer))
                )

    async def _submit_batch(self, claim: Claim, epochs: SubmitEpochs | None) -> StepResult:
        """Send all calls of a job at once, and those refused for a moment again."""
        job, calls = claim.job, list(claim.calls)
        every: list[CallResult] = []
        for tries in range(1, _TRIES_OF_PART + 1):
            results = await gather_all(self._submit_call(job, each, claim.offer, epochs) for each in calls)
            every += results
            refused = [
                (call, result)
                for call, result in zip(calls, results, strict=True)
                if isinstance(result, ProviderError) and result.kind in _REPEATED
            ]
            batch = await self._until_persisted(lambda: self._batch_store.get(job.id))
            taken = any(call.handle or call.result for call in batch)
            if not refused or not taken or tries == _TRIES_OF_PART:
                break
            pause = max(back_off(tries, self._random.random(), error) for _, error in refused)
            if pause > _LONGEST_PART_PAUSE_SECONDS:
                break
            await self._clock.wait(self._stopping, pause)
            if self._stopping.is_set():
                break  # no submit begins any more
            calls = [await self._repeat(job, call) for call, _ in refused]
        return await self._settle(job, every)

    async def _submit_call(self, job: Job, call: ClaimedCall, offer: Offer, epochs: SubmitEpochs | None) -> CallResult:
        result = await self._keep(await self._sender.send(job, call, offer, epochs))
        if isinstance(result, Failed):
            log_failure(job, result)
        try:
            await self._record(job, call.attempt, result)
        except StaleJobError:
            await self._record_late(call.attempt, result)
            raise
        return result

    async def _keep(self, result: CallResult) -> CallResult:
        """Write the images of an answer to the disk."""
        if isinstance(result, Finished):
            answer = result
            return await self._until_persisted(lambda: self._results.keep(answer))
        return result

    async def _record_late(self, call: Attempt, result: CallResult) -> None:
        """Record an answer after another worker took over the job.

        It exists in this process alone.
        """
        if not isinstance(result, Pending | Finished | Failed):
            return
        answer = result
        is_needed = await self._until_persisted(lambda: self._job_store.record_late_answer(call, answer))
        _log.warning("submit.answered_late", job=call.job_id, provider=call.provider, needed=is_needed)
        if isinstance(answer, Finished) and not is_needed:
            await self._results.drop(answer.image_urls)

    async def _record(self, job: Job, call: Attempt, result: CallResult) -> None:
        """Store the result of one of several calls."""
        reply: Reply
        match result:
            case LostReply(is_billed=False):
                reply = Failed(kind=FaultKind.REPLY_LOST)
            case LostReply():
                reply = None
            case _:
                reply = result
        jitter = self._random.random()
        await self._until_persisted(lambda: self._batch_store.record(job, call, reply, jitter))

    async def _repeat(self, job: Job, call: ClaimedCall) -> ClaimedCall:
        again = await self._until_persisted(lambda: self._batch_store.repeat(job, call.attempt))
        return ClaimedCall(attempt=again)

    async def _settle(self, job: Job, results: Sequence[CallResult]) -> StepResult:
        """Move a job on once each of its calls has a reply."""
        may_come = any(isinstance(result, LostReply) and result.may_come for result in results)
        settled = await self._until_persisted(lambda: self._batch_store.settle(job, has_callback=may_come))
        if settled.state.ended:
            return StepResult(job=settled)
        pause = self._config.poll_floor if settled.state in (State.QUEUED, State.RUNNING) else 0.0
        return StepResult(job=settled, next_step_in=pause)

    async def _until_persisted(self, write: Callable[[], Awaitable[_Result]]) -> _Result:
        """Store a submit's answer, however long the database or the disk is away.

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
