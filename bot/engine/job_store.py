"""Job transitions: state, attempt and credits in one transaction each."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import structlog
from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.costs import is_billed
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.images import ResultImage
from bot.domain.jobs import Attempt, Delivery, Job, Outcome, State
from bot.domain.models import Offer
from bot.domain.requests import offers_for
from bot.engine.claimer import CallbackUrl, ClaimResult, JobClaimer, no_callback_url, no_input_url, takes_urls
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.guild_key_offers import key_fault, usable_keys, usable_offers
from bot.engine.job_endings import FIRST_RECONCILIATION, JobEndings, possible_cost
from bot.engine.job_steps import JobSteps
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.retry_policy import back_off, refusals_of, remaining_offers
from bot.engine.slots import NO_KEY_LIMITS, KeyLimits
from bot.providers.base import Failed, Finished, Pending
from db.attempts import AttemptRepository
from db.cards import CardRepository, DeliveredJob
from db.database import Database
from db.jobs import JobRepository
from db.other_process import OtherProcessRepository
from db.reconciliations import ReconciliationRepository

_log = structlog.get_logger(__name__)

NO_LIMITS: Final[Mapping[tuple[str, str], int]] = MappingProxyType({})


class JobStore:
    """Moves jobs between states.

    Raises:
        StaleJobError: from every method that changes a job, if the job moved on meanwhile.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        config: EngineConfig,
        lease: Lease,
        catalogue: Catalogue,
        new_callback_url: Callable[[str], CallbackUrl | None] = no_callback_url,
        new_input_url: Callable[[], CallbackUrl | None] = no_input_url,
        takes_urls: Callable[[str], bool] = takes_urls,
    ) -> None:
        self._takes_urls = takes_urls
        self._database = database
        self._endings = JobEndings(ledger=ledger, catalogue=catalogue, config=config)
        self._steps = JobSteps(database=database, ledger=ledger)
        self._clock = clock
        self._config = config
        self._catalogue = catalogue
        self._claimer = JobClaimer(
            config=config,
            lease=lease,
            catalogue=catalogue,
            new_callback_url=new_callback_url,
            new_input_url=new_input_url,
            takes_urls=takes_urls,
        )

    async def get(self, job_id: str) -> tuple[Job, Attempt | None]:
        """Return a job and its last attempt.

        Raises:
            JobNotFoundError: if there is no such job.
        """
        return await self._steps.get(job_id)

    async def claim_batch(
        self,
        limit: int,
        available_submits: Mapping[str, int],
        offer_limits: Mapping[tuple[str, str], int] = NO_LIMITS,
        *,
        key_limits: KeyLimits = NO_KEY_LIMITS,
        with_queue: bool = True,
    ) -> ClaimResult:
        """Claim free slots for up to `limit` queued jobs.

        `available_submits` is how many submits each provider accepts now, `offer_limits` the same for single offers
        with a limit, by provider and model. `key_limits` are those of guilds' own keys. Ordering a long queue takes
        time and blocks other writes, so it is done only if a slot is free or `with_queue` is set.
        """
        now = self._clock.now()
        return await self._database.write(
            lambda connection: self._claimer.claim_batch(
                connection,
                now,
                limit,
                available_submits,
                offer_limits,
                key_limits=key_limits,
                with_queue=with_queue,
            )
        )

    async def remaining_offers(self, job: Job) -> tuple[Offer, ...]:
        """Return the offers left for a job after its refusals.

        With its guild's own keys, those with a key.
        """
        return await self._database.read(
            lambda connection: usable_offers(connection, job, self._remaining(connection, job))
        )

    async def key_fault(self, job: Job) -> FaultKind | None:
        """Return why no key of the guild serves a job; None if one does."""
        return await self._database.read(
            lambda connection: key_fault(connection, job, self._remaining(connection, job))
        )

    async def usable_keys(self, job: Job) -> Mapping[str, str] | None:
        """Return the ids of a job's keys by provider; None for the operator's."""
        return await self._database.read(lambda connection: usable_keys(connection, job))

    def _remaining(self, connection: Connection, job: Job) -> tuple[Offer, ...]:
        attempts = AttemptRepository(connection).list_for(job.id)
        return remaining_offers(offers_for(job.request, self._catalogue), attempts)

    async def needs_input_urls(self, job: Job) -> bool:
        """Return whether every offer left for a job downloads its inputs."""
        return all(self._takes_urls(offer.provider) for offer in await self.remaining_offers(job))

    async def release_claim(self, job: Job) -> Job:
        """Return a claimed job to HELD: its submit was never begun.

        It keeps its position, as if it had not been claimed.
        """

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).remove_batch(job.id)
            return JobRepository(connection).advance(job, State.HELD, provider=None, submitted_at=None)

        return await self._write(job, write)

    async def _write(self, job: Job, write: Callable[[Connection], Job]) -> Job:
        """Run a transaction that locks the job before its attempts, as batches do."""

        def locked(connection: Connection) -> Job:
            JobRepository(connection).check_current(job)
            return write(connection)

        return await self._database.write(locked)

    async def record_late_answer(self, call: Attempt, answer: Pending | Finished | Failed) -> bool:
        """Record a call's answer after another worker took over its job.

        The job goes on with it; if it was given up, its images are free. Return False if nobody needs the answer.
        """

        def write(connection: Connection) -> bool:
            attempts = AttemptRepository(connection)
            current = next((each for each in attempts.list_for(call.job_id) if each.number == call.number), None)
            if current is None or current.outcome not in (Outcome.OPEN, Outcome.UNKNOWN) or current.result:
                return False
            urls = list(answer.image_urls) if isinstance(answer, Finished) else []
            job = JobRepository(connection).get(call.job_id)
            attempts.update_call(
                current,
                # A final outcome is recorded with the job's end.
                outcome=Outcome.OPEN if urls and not job.state.ended else None,
                handle=answer.handle if current.handle is None else None,
                record_id=answer.record_id,
                cost=answer.cost,
                result=urls or None,
            )
            if not job.state.ended:
                return True
            return ReconciliationRepository(connection).schedule(job.id, self._clock.now())

        return await self._database.write(write)

    async def mark_accepted(self, job: Job, answer: Pending) -> Job:
        """Record the provider's acceptance: QUEUED or RUNNING."""
        return await self._steps.accept(job, answer)

    async def mark_running(self, job: Job) -> Job:
        """Record the start at the provider: QUEUED to RUNNING."""
        return await self._steps.start(job)

    async def mark_refused(self, job: Job, error: ProviderError, jitter: float) -> Job:
        """Record a refusal: back to HELD for another try, or FAILED.

        The provider has surely not accepted the job, and pauses for it; another provider may be asked at once. The job
        fails once no offer is left to try. `jitter` (0-1) spreads the retries of many jobs.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            attempts = AttemptRepository(connection)
            refused_before = refusals_of(error.provider, attempts.list_for(job.id))
            retry_at = now + timedelta(seconds=back_off(refused_before + 1, jitter, error))
            attempts.end_call(
                attempts.latest(job.id),
                Outcome.REFUSED,
                now,
                fault=error.kind,
                record_id=error.record_id,
                retry_at=retry_at,
            )
            return self._endings.retry_or_fail(connection, job, error.kind, now)

        return await self._write(job, write)

    async def mark_reply_lost(self, job: Job, *, has_callback: bool) -> Job:
        """Record a lost reply: UNKNOWN, and never submitted again.

        The attempt stays marked as unknown for good. If the provider has a webhook URL, it may still call;
        otherwise the job is given up at once. It goes on if another process recorded its images meanwhile.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            if any(call.result for call in AttemptRepository(connection).latest_batch(job.id)):
                return JobRepository(connection).advance(job, State.STORING)
            AttemptRepository(connection).end_batch(job.id, Outcome.UNKNOWN, now, fault=FaultKind.REPLY_LOST)
            unknown = JobRepository(connection).advance(job, State.UNKNOWN)
            return unknown if has_callback else self._endings.give_up(connection, unknown, now)

        return await self._write(job, write)

    async def mark_never_taken(self, job: Job, error: ProviderError) -> Job:
        """Fail an UNKNOWN job: its provider says that it never took the call."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            attempts = AttemptRepository(connection)
            attempts.end_call(attempts.latest(job.id), Outcome.REFUSED, now, fault=error.kind)
            return self._endings.end(connection, job, State.FAILED, now, fault=error.kind)

        return await self._write(job, write)

    async def give_up(self, job: Job) -> Job:
        """Fail an UNKNOWN job and book its possible cost to the operator.

        The member's hold is released. Before the hard deadline, a member without a free repeat keeps it held: the
        job is returned unchanged.
        """
        now = self._clock.now()
        return await self._database.write(lambda connection: self._endings.give_up(connection, job, now))

    async def record_handle(self, attempt: Attempt, handle: str) -> None:
        """Record a handle from a webhook; the handle of the reply wins."""
        await self._database.write(lambda connection: AttemptRepository(connection).set_handle(attempt, handle))

    async def mark_storing(self, job: Job, answer: Finished) -> Job:
        """Record the finished images: their URLs are kept until download."""
        return await self._steps.store(job, answer)

    async def mark_done(self, job: Job, images: Sequence[ResultImage]) -> Job:
        """End a job with its stored images: capture their price only."""
        return await self._steps.complete(job, images, self._clock.now())

    async def mark_failed(
        self,
        job: Job,
        fault: FaultKind,
        answer: Failed | None = None,
        *,
        reconcile: bool = False,
        may_be_billed: bool = False,
    ) -> Job:
        """Fail a job and release its hold.

        `reconcile`: the provider has images that could not be downloaded, and is asked again later. `may_be_billed`:
        the provider accepted the job and did not say that it failed.
        """
        now = self._clock.now()
        reconcile_at = now + FIRST_RECONCILIATION if reconcile else None

        def write(connection: Connection) -> Job:
            extra = (
                {} if answer is None else {"handle": answer.handle, "record_id": answer.record_id, "cost": answer.cost}
            )
            cost = None
            was_made = answer is not None and (answer.made_images or is_billed(answer.cost))
            if may_be_billed or was_made or fault is FaultKind.NO_PICTURES:
                cost = possible_cost(job, AttemptRepository(connection).latest_batch(job.id), fault)
            AttemptRepository(connection).end_batch(job.id, Outcome.FAILED, now, fault=fault, **extra)
            return self._endings.end(
                connection, job, State.FAILED, now, fault=fault, reconcile_at=reconcile_at, possible_cost=cost
            )

        return await self._write(job, write)

    async def mark_cancelled(self, job: Job) -> Job:
        """Cancel a job before any image exists, and release its hold."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).end_batch(job.id, Outcome.CANCELLED, now)
            return self._endings.end(connection, job, State.CANCELLED, now)

        return await self._write(job, write)

    async def mark_withdrawn(self, job: Job, other_job_id: str | None) -> Job:
        """Cancel a job after another process answered its interaction.

        Its hold is released before any submit, and nothing is shown: the message belongs to the other process.
        `other_job_id` is the job of that message, if known.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Job, bool]:
            ended = self._endings.end(connection, job, State.CANCELLED, now)
            delivered = DeliveredJob(job_id=job.id, at=now, delivery=Delivery.NOWHERE)
            CardRepository(connection).set_delivered([delivered])
            is_new = other_job_id is not None and OtherProcessRepository(connection).record(other_job_id, now)
            return ended, is_new

        ended, is_new = await self._database.write(write)
        _log.warning("job.answered_elsewhere", job=job.id)
        if is_new:
            _log.error("discord.token_used_twice", remedy="stop the other process, or reset the token")
        return ended

    async def mark_lost(self, job: Job) -> Job:
        """End a job after its hard deadline and release its hold.

        Images that the provider still makes are free.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            attempts = AttemptRepository(connection)
            batch = attempts.latest_batch(job.id) if job.provider is not None else ()
            has_handle = any(call.handle is not None for call in batch)
            cost = possible_cost(job, batch, FaultKind.DEADLINE)
            attempts.end_batch(job.id, Outcome.LOST, now, fault=FaultKind.DEADLINE)
            reconcile_at = now + FIRST_RECONCILIATION if has_handle else None
            return self._endings.end(
                connection,
                job,
                State.LOST,
                now,
                fault=FaultKind.DEADLINE,
                reconcile_at=reconcile_at,
                possible_cost=cost,
            )

        return await self._write(job, write)

    async def mark_cancel_refused(self, job: Job) -> Job:
        """Record a cancel request as too late."""
        return await self._database.write(lambda connection: JobRepository(connection).note(job, cancel_refused=True))

    async def request_cancel(self, job_id: str) -> None:
        """Record a cancel request; the job's state decides its outcome."""
        now = self._clock.now()
        await self._database.write(lambda connection: JobRepository(connection).request_cancel(job_id, now))

    async def find_by_webhook(self, webhook_hash: str) -> tuple[Job, Attempt] | None:
        """Return the job and the attempt with this webhook."""

        def read(connection: Connection) -> tuple[Job, Attempt] | None:
            attempt = AttemptRepository(connection).find_by_webhook(webhook_hash)
            return None if attempt is None else (JobRepository(connection).get(attempt.job_id), attempt)

        return await self._database.read(read)
