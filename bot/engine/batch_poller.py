"""Steps of a submitted job of several calls."""

import random
from collections.abc import Sequence

from bot.domain.catalogue import Catalogue
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.engine.batch_store import BatchStore, is_waiting
from bot.engine.call_sender import CallSender, LostReply
from bot.engine.fault_attribution import log_failure
from bot.engine.gather import gather_all
from bot.engine.job_store import JobStore
from bot.engine.poll_schedule import ASK_SECONDS, PollProgress, PollSchedule
from bot.engine.progress import ProgressRegistry
from bot.engine.status_reader import StatusReader
from bot.engine.step_result import StepResult
from bot.providers.base import Cancelled, CancelOutcome, Failed, Pending, Provider


class BatchPoller:
    """Polls the calls of a job and moves it on once none waits."""

    def __init__(
        self,
        *,
        job_store: JobStore,
        batch_store: BatchStore,
        sender: CallSender,
        reader: StatusReader,
        schedule: PollSchedule,
        progress: ProgressRegistry,
        catalogue: Catalogue,
        randomness: random.Random,
    ) -> None:
        self._job_store = job_store
        self._batch_store = batch_store
        self._sender = sender
        self._reader = reader
        self._schedule = schedule
        self._shown = progress
        self._catalogue = catalogue
        self._random = randomness

    async def advance(self, job: Job, batch: Sequence[Attempt]) -> StepResult:
        """Read the status of each waiting call, then decide about the job."""
        progress = self._schedule.progress_of(job, batch[0])
        provider = await self._reader.provider_of(batch[0])
        waiting = [call for call in batch if is_waiting(call)]
        news: list[bool] = []
        if provider is not None and waiting:
            if (wait := self._reader.seconds_to_next_read(job.id)) > 0:
                return StepResult(job=job, next_step_in=wait)
            if job.cancel_requested_at is not None and not job.cancel_refused:
                job = await self._cancel(job, provider, waiting)
                batch = await self._batch_store.get(job.id)
                waiting = [call for call in batch if is_waiting(call)]
            news = await gather_all(self._read(job, provider, call, progress) for call in waiting)
        lost = [call for call in batch if call.outcome is Outcome.UNKNOWN and call.handle is None and not call.result]
        if lost and self._schedule.may_ask(progress):
            asked = [await self._ask_for(job, call) for call in lost]
            progress.may_come = any(asked)
        return await self._settle(job, batch, progress, refresh_card=any(news))

    async def _settle(
        self, job: Job, batch: Sequence[Attempt], progress: PollProgress, *, refresh_card: bool
    ) -> StepResult:
        """Move the job on if its calls have ended, or plan the next poll."""
        may_come = progress.may_come or any(call.webhook_hash for call in batch)
        has_time = self._schedule.unknown_time_left(job, batch[0]) > 0
        settled = await self._batch_store.settle(job, has_callback=may_come and has_time)
        if settled.state is State.QUEUED and self._shown.get(job.id).is_running:
            settled = await self._job_store.mark_running(settled)
        if not settled.state.ended and settled.state is not State.STORING and self._schedule.time_left(job) <= 0:
            settled = await self._batch_store.close_waiting(settled)
        if settled.state is State.UNKNOWN and not has_time:
            settled = await self._batch_store.give_up_waiting(settled)
        if settled.state.ended or settled.state is State.STORING:
            return StepResult(job=settled, next_step_in=None if settled.state.ended else 0.0)
        if settled.state is State.UNKNOWN:
            return StepResult(job=settled, next_step_in=ASK_SECONDS)
        has_callback = all(call.webhook_hash is not None for call in batch)
        return await self._schedule.next_poll(settled, progress, has_callback=has_callback, refresh_card=refresh_card)

    async def _read(self, job: Job, provider: Provider, call: Attempt, progress: PollProgress) -> bool:
        """Read a call's status and record its end.

        Return whether the card has news.
        """
        assert call.handle is not None, "a waiting call has a handle"  # noqa: S101 - an invariant
        status = await self._reader.read(job, call, provider, call.handle)
        if isinstance(status, ProviderError):
            if self._schedule.is_long_gone(progress, call, status):
                await self._batch_store.record(job, call, Failed(kind=FaultKind.NOT_FOUND, cost=call.cost))
            return False
        progress.absences.pop(call.number, None)
        if isinstance(status, Pending):
            return self._shown.record(job.id, status)
        if isinstance(status, Failed):
            log_failure(job, status)
        await self._batch_store.record(job, call, status)
        return False

    async def _ask_for(self, job: Job, call: Attempt) -> bool:
        """Ask the provider for a call without a reply.

        Return whether it may know the call later.
        """
        if self._schedule.unknown_time_left(job, call) <= 0:
            return False
        offer = self._catalogue.find_offer(call.provider, job.request.model)
        match await self._sender.find(job, call, offer, has_callback=False):
            case Pending(handle=handle):
                await self._job_store.record_handle(call, handle)
            case ProviderError() as never_taken:
                await self._batch_store.record(job, call, never_taken, self._random.random())
            case LostReply(is_billed=False):
                await self._batch_store.record(job, call, Failed(kind=FaultKind.REPLY_LOST))
            case LostReply(may_come=may_come):
                return may_come
        return False

    async def _cancel(self, job: Job, provider: Provider, waiting: Sequence[Attempt]) -> Job:
        """Ask the provider to cancel each waiting call."""
        refused = False
        for call in waiting:
            assert call.handle is not None, "a waiting call has a handle"  # noqa: S101 - an invariant
            outcome = await self._reader.try_cancel(job, provider, call.handle)
            if outcome is CancelOutcome.CANCELLED:
                await self._batch_store.record(job, call, Cancelled(handle=call.handle))
            refused |= outcome in (CancelOutcome.STARTED, CancelOutcome.UNSUPPORTED)
        return await self._job_store.mark_cancel_refused(job) if refused else job
