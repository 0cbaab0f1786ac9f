"""Jobs of several calls: each call's reply, then the state of the job."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.costs import is_billed
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.job_endings import JobEndings, possible_cost
from bot.engine.ledger import Ledger
from bot.engine.retry_policy import back_off
from bot.providers.base import Cancelled, Failed, Finished, Pending
from db.attempts import AttemptRepository
from db.database import Database
from db.jobs import JobRepository

Reply = Pending | Finished | Failed | Cancelled | ProviderError | None
"""A reply to one call; a `ProviderError` is a sure refusal, None a lost reply."""

_SENT: Final = (Outcome.OPEN, Outcome.UNKNOWN)


class BatchStore:
    """Records the calls of a job with several.

    Raises:
        StaleJobError: from every method that changes a job, if the job moved on meanwhile.
    """

    def __init__(
        self, *, database: Database, ledger: Ledger, clock: Clock, config: EngineConfig, catalogue: Catalogue
    ) -> None:
        self._database = database
        self._clock = clock
        self._endings = JobEndings(ledger=ledger, catalogue=catalogue, config=config)

    async def get(self, job_id: str) -> tuple[Attempt, ...]:
        """Return the calls of a job's last batch, by part."""
        return await self._database.read(lambda connection: AttemptRepository(connection).latest_batch(job_id))

    async def claim_handle(self, call: Attempt, handle: str) -> bool:
        """Record the found handle of a call without a reply.

        Return False if another call of any job has it.
        """
        return await self._database.write(lambda connection: AttemptRepository(connection).claim_handle(call, handle))

    async def record(self, job: Job, call: Attempt, reply: Reply, jitter: float = 0.0) -> None:
        """Record the reply to one call; the job's state stays.

        `jitter` (0-1) spreads the retries of a refused call.
        """
        now = self._clock.now()

        def write(connection: Connection) -> None:
            JobRepository(connection).check_current(job)
            attempts = AttemptRepository(connection)
            match reply:
                case Pending():
                    attempts.update_call(call, handle=reply.handle, record_id=reply.record_id, cost=reply.cost)
                case Finished():
                    attempts.update_call(
                        call,
                        handle=reply.handle,
                        record_id=reply.record_id,
                        cost=reply.cost,
                        result=list(reply.image_urls),
                    )
                case Failed():
                    attempts.end_call(
                        call,
                        Outcome.FAILED,
                        now,
                        fault=reply.kind,
                        handle=reply.handle,
                        record_id=reply.record_id,
                        cost=reply.cost,
                    )
                case Cancelled():
                    attempts.end_call(call, Outcome.CANCELLED, now)
                case ProviderError():
                    retry_at = now + timedelta(seconds=back_off(_tries(attempts, call), jitter, reply))
                    attempts.end_call(
                        call,
                        Outcome.REFUSED,
                        now,
                        fault=reply.kind,
                        record_id=reply.record_id,
                        retry_at=retry_at,
                    )
                case None if any(each.number == call.number and has_reply(each) for each in attempts.list_for(job.id)):
                    pass  # another process has recorded its late reply
                case None:
                    attempts.end_call(call, Outcome.UNKNOWN, now, fault=FaultKind.REPLY_LOST)

        await self._database.write(write)

    async def repeat(self, job: Job, call: Attempt) -> Attempt:
        """Record a further try of a surely refused call, before it is sent."""
        now = self._clock.now()

        def write(connection: Connection) -> Attempt:
            JobRepository(connection).check_current(job)
            attempts = AttemptRepository(connection)
            again = Attempt(
                job_id=job.id,
                number=attempts.latest(job.id).number + 1,
                provider=call.provider,
                outcome=Outcome.OPEN,
                started_at=now,
                batch=call.batch,
                part=call.part,
                images=call.images,
            )
            attempts.add_all([again])
            return again

        return await self._database.write(write)

    async def settle(self, job: Job, *, has_callback: bool = False) -> Job:
        """Move a job to the state of its calls' replies.

        Unchanged while a call's outcome is open. `has_callback`: a webhook may still name a job whose reply was lost.
        """
        now = self._clock.now()
        return await self._database.write(
            lambda connection: self._settle(connection, job, now, has_callback=has_callback)
        )

    def _settle(self, connection: Connection, job: Job, now: datetime, *, has_callback: bool) -> Job:
        jobs = JobRepository(connection)
        batch = AttemptRepository(connection).latest_batch(job.id)
        if any(is_waiting(call) for call in batch):
            return jobs.advance(job, State.QUEUED) if job.state is State.SUBMITTING else job
        if any(call.result for call in batch):
            return jobs.advance(job, State.STORING)
        if any(call.outcome in _SENT for call in batch):
            return self._unknown(connection, job, now, has_callback=has_callback)
        if job.state is State.SUBMITTING and all(call.outcome is Outcome.REFUSED for call in batch):
            return self._endings.retry_or_fail(connection, job, _first_fault(batch), now)
        if job.state is not State.UNKNOWN and all(call.outcome is Outcome.CANCELLED for call in batch):
            return self._endings.end(connection, job, State.CANCELLED, now)
        fault = _first_fault(batch)
        cost = possible_cost(job, batch, fault)
        return self._endings.end(connection, job, State.FAILED, now, fault=fault, possible_cost=cost)

    def _unknown(self, connection: Connection, job: Job, now: datetime, *, has_callback: bool) -> Job:
        """Move a job to UNKNOWN: no call's outcome is known."""
        if job.state is State.SUBMITTING:
            job = JobRepository(connection).advance(job, State.UNKNOWN)
        return job if has_callback else self._endings.give_up(connection, job, now)

    async def close_waiting(self, job: Job) -> Job:
        """Give up the waiting calls, and store the other images.

        Past the hard deadline. Without any image the job is unchanged.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            JobRepository(connection).check_current(job)
            attempts = AttemptRepository(connection)
            batch = attempts.latest_batch(job.id)
            if not any(call.result for call in batch):
                return job
            for call in batch:
                if is_waiting(call):
                    attempts.end_call(call, Outcome.LOST, now, fault=FaultKind.DEADLINE)
            return JobRepository(connection).advance(job, State.STORING)

        return await self._database.write(write)

    async def give_up_waiting(self, job: Job) -> Job:
        """Give up an UNKNOWN job with calls that were named but did not end.

        With any image the job is unchanged: it waits for the others until its deadline.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            if any(call.result for call in AttemptRepository(connection).latest_batch(job.id)):
                return job
            return self._endings.give_up(connection, job, now)

        return await self._database.write(write)


def is_waiting(call: Attempt) -> bool:
    """Return whether the provider has a call and has not ended it."""
    return call.outcome in _SENT and call.handle is not None and not call.result


def has_reply(call: Attempt) -> bool:
    """Return whether a call's reply was recorded."""
    return call.outcome is not Outcome.OPEN or call.handle is not None or bool(call.result)


def _tries(attempts: AttemptRepository, call: Attempt) -> int:
    """Return the number of tries of a call's part, this one included."""
    earlier = attempts.list_for(call.job_id)
    return sum(each.batch == call.batch and each.part == call.part for each in earlier)


def _first_fault(batch: Sequence[Attempt]) -> FaultKind:
    """Return the fault to show: a billed one first, then the first of all."""
    ordered = sorted(batch, key=lambda call: not is_billed(call.cost))
    return next((call.fault for call in ordered if call.fault is not None), FaultKind.GENERATION)
