"""Every step of a job as one durable transaction: the state, its attempt and its credits together or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.aspect_ratios import with_input_ratio
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import Attempt, Delivery, Job, Outcome, State
from bot.domain.requests import offers_for
from bot.engine.claimer import CallbackUrl, ClaimResult, JobClaimer, no_callback_url, no_input_url
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.retry_policy import remaining_offers
from bot.providers.base import Failed, Finished, Pending
from db.attempts import AttemptRepository
from db.database import Database
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository

FIRST_RECONCILING: Final = timedelta(minutes=1)
RECONCILING_PAUSE: Final = timedelta(minutes=10)


class JobStore:
    """Carries jobs from state to state. Every method that changes one raises `StaleJobError` if it moved meanwhile."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        config: EngineConfig,
        lease: Lease,
        providers: Sequence[str],
        new_callback_url: Callable[[str], CallbackUrl | None] = no_callback_url,
        new_input_url: Callable[[], CallbackUrl | None] = no_input_url,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._providers = tuple(providers)
        self._claimer = JobClaimer(
            config=config,
            lease=lease,
            providers=providers,
            new_callback_url=new_callback_url,
            new_input_url=new_input_url,
        )

    async def get(self, job_id: str) -> tuple[Job, Attempt | None]:
        """Return a job and its last attempt; raises `JobNotFoundError`."""

        def read(connection: Connection) -> tuple[Job, Attempt | None]:
            attempts = AttemptRepository(connection).list_for(job_id)
            return JobRepository(connection).get(job_id), attempts[-1] if attempts else None

        return await self._database.read(read)

    async def claim_batch(
        self, limit: int, available_submits: Mapping[str, int], *, with_queue: bool = True
    ) -> ClaimResult:
        """Give free slots to queued jobs; `available_submits` is how many submits each provider may be sent now.

        To put a long line in order takes time, and no other write happens meanwhile: so it is done only where there is
        a slot to give, or where `with_queue` is set.
        """
        now = self._clock.now()
        return await self._database.write(
            lambda connection: self._claimer.claim_batch(
                connection, now, limit, available_submits, with_queue=with_queue
            )
        )

    async def release_claim(self, job: Job) -> Job:
        """Its submit was never begun, and will not be: back to HELD, as if it had not been its turn."""

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).remove_latest(job.id)
            return JobRepository(connection).advance(job, State.HELD, provider=None, submitted_at=None)

        return await self._database.write(write)

    async def record_late_handle(self, job: Job, handle: str) -> None:
        """A submit was answered after another worker had given it up: what the provider makes of it comes free."""

        def write(connection: Connection) -> None:
            attempts = AttemptRepository(connection)
            latest = attempts.latest(job.id)
            if latest.outcome is Outcome.UNKNOWN and latest.provider == job.provider:
                attempts.set_handle(latest, handle)
                JobRepository(connection).schedule_reconciliation(job.id, self._clock.now())

        await self._database.write(write)

    async def mark_prepared(self, job: Job, files: Mapping[int, ImageFile]) -> Job:
        """What the job starts from is in the store, by position, so it stands in line now, with the true form of that.

        Its price stays as it was held: no price depends on a ratio.
        """
        now = self._clock.now()
        inputs = (replace(each, file=files.get(at, each.file)) for at, each in enumerate(job.request.inputs))
        request = with_input_ratio(replace(job.request, inputs=tuple(inputs)), self._providers)

        def write(connection: Connection) -> Job:
            noted = JobRepository(connection).set_prepared(job, request)
            self._store_inputs(connection, job, files, now)
            return noted

        return await self._database.write(write)

    async def mark_inputs_failed(self, job: Job, fault: FaultKind, files: Mapping[int, ImageFile]) -> Job:
        """Something that the job starts from cannot be had: release everything. `files` are those that could."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            ended = self._end(connection, job, State.FAILED, now, fault=fault)
            self._store_inputs(connection, job, files, now)
            return ended

        return await self._database.write(write)

    def _store_inputs(self, connection: Connection, job: Job, files: Mapping[int, ImageFile], now: datetime) -> None:
        inputs = InputImageRepository(connection)
        for position, file in files.items():
            inputs.set_stored(job.id, position, file, now)

    async def mark_accepted(self, job: Job, answer: Pending) -> Job:
        """The provider has the job: QUEUED or RUNNING."""
        to = State.RUNNING if answer.running else State.QUEUED

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).update_latest(
                job.id, handle=answer.handle, record_id=answer.record_id, cost=answer.cost
            )
            return JobRepository(connection).advance(job, to)

        return await self._database.write(write)

    async def mark_running(self, job: Job) -> Job:
        """The provider has begun: QUEUED to RUNNING."""
        return await self._database.write(lambda connection: JobRepository(connection).advance(job, State.RUNNING))

    async def mark_refused(self, job: Job, error: ProviderError, delay: float) -> Job:
        """The provider surely did not take it: back to HELD for another try, or FAILED when nothing is left to try."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            attempts = AttemptRepository(connection)
            attempts.end_latest(job.id, Outcome.REFUSED, now, fault=error.kind, record_id=error.record_id)
            left = remaining_offers(offers_for(job.request, self._providers), attempts.list_for(job.id))
            if not left:
                return self._end(connection, job, State.FAILED, now, fault=error.kind)
            another = left[0].provider != job.provider
            due = now if another else now + timedelta(seconds=delay)
            return JobRepository(connection).advance(
                job, State.HELD, tries=job.tries + 1, due_at=due, provider=None, submitted_at=None
            )

        return await self._database.write(write)

    async def mark_reply_lost(self, job: Job, *, has_callback: bool) -> Job:
        """The submit's answer never came: UNKNOWN, for ever marked on the attempt, and never sent again.

        Where the provider was given a webhook it may still tell; else the job fails at once.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).end_latest(job.id, Outcome.UNKNOWN, now, fault=FaultKind.REPLY_LOST)
            unknown = JobRepository(connection).advance(job, State.UNKNOWN)
            return unknown if has_callback else self._give_up(connection, unknown, now)

        return await self._database.write(write)

    async def give_up(self, job: Job) -> Job:
        """Nobody told what became of an UNKNOWN job: its credits go back, and the possible cost is the operator's."""
        now = self._clock.now()
        return await self._database.write(lambda connection: self._give_up(connection, job, now))

    def _give_up(self, connection: Connection, job: Job, now: datetime) -> Job:
        self._ledger.book_unknown_cost(connection, job, now)
        # Where a webhook has named it and only its status could not be read, it is asked about further.
        known = any(attempt.handle for attempt in AttemptRepository(connection).list_for(job.id)[-1:])
        next_step_in = now + FIRST_RECONCILING if known else None
        return self._end(connection, job, State.FAILED, now, fault=FaultKind.REPLY_LOST, reconcile_at=next_step_in)

    async def record_handle(self, attempt: Attempt, handle: str) -> None:
        """A webhook named the job that a submit's reply would have named; the reply's own word counts more."""
        await self._database.write(lambda connection: AttemptRepository(connection).set_handle(attempt, handle))

    async def mark_storing(self, job: Job, answer: Finished) -> Job:
        """The provider is done; its pictures' addresses are kept until they are stored."""

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).update_latest(
                job.id,
                handle=answer.handle,
                record_id=answer.record_id,
                cost=answer.cost,
                result=list(answer.image_urls),
            )
            return JobRepository(connection).advance(job, State.STORING)

        return await self._database.write(write)

    async def mark_done(self, job: Job, pictures: Sequence[ResultImage]) -> Job:
        """The pictures are stored: capture their price, return the rest, and end."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            ResultImageRepository(connection).add_all(pictures, now)
            AttemptRepository(connection).end_latest(job.id, Outcome.COMPLETED, now)
            return self._end(connection, job, State.DONE, now, charge=job.unit_price * len(pictures))

        return await self._database.write(write)

    async def mark_failed(
        self, job: Job, fault: FaultKind, answer: Failed | None = None, *, reconcile: bool = False
    ) -> Job:
        """Nothing will come of it: release everything. `reconcile`: its provider has it, and may be asked again."""
        now = self._clock.now()
        next_step_in = now + FIRST_RECONCILING if reconcile else None

        def write(connection: Connection) -> Job:
            extra = (
                {} if answer is None else {"handle": answer.handle, "record_id": answer.record_id, "cost": answer.cost}
            )
            AttemptRepository(connection).end_latest(job.id, Outcome.FAILED, now, fault=fault, **extra)
            return self._end(connection, job, State.FAILED, now, fault=fault, reconcile_at=next_step_in)

        return await self._database.write(write)

    async def mark_cancelled(self, job: Job) -> Job:
        """It was cancelled before anything was made: release everything."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).end_latest(job.id, Outcome.CANCELLED, now)
            return self._end(connection, job, State.CANCELLED, now)

        return await self._database.write(write)

    async def mark_lost(self, job: Job) -> Job:
        """The hard deadline passed: release everything. What the provider still makes of it comes free."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            attempts = AttemptRepository(connection)
            known = job.provider is not None and attempts.latest(job.id).handle is not None
            attempts.end_latest(job.id, Outcome.LOST, now, fault=FaultKind.DEADLINE)
            next_step_in = now + FIRST_RECONCILING if known else None
            return self._end(connection, job, State.LOST, now, fault=FaultKind.DEADLINE, reconcile_at=next_step_in)

        return await self._database.write(write)

    async def mark_cancel_refused(self, job: Job) -> Job:
        """The provider has begun, so the cancel came too late."""
        return await self._database.write(lambda connection: JobRepository(connection).note(job, cancel_refused=True))

    async def mark_acknowledged(self, job_id: str, message_id: int | None) -> bool:
        """The card is on Discord, so the job may be submitted; return whether its inputs have to be fetched first."""
        now = self._clock.now()
        prepared = await self._database.write(
            lambda connection: JobRepository(connection).set_acknowledged(job_id, message_id, now)
        )
        return not prepared

    async def mark_delivered(self, job_id: str, delivery: Delivery = Delivery.CARD) -> None:
        """Its member has the end, and where."""
        now = self._clock.now()
        await self._database.write(lambda connection: JobRepository(connection).set_delivered(job_id, now, delivery))

    async def begin_direct_message(self, job_id: str) -> bool:
        """A direct message is about to be sent; False where one may have been sent before."""
        now = self._clock.now()
        return await self._database.write(lambda connection: JobRepository(connection).set_direct(job_id, now))

    async def request_cancel(self, job_id: str) -> None:
        """Its member wants it cancelled; what comes of it is up to where the job is."""
        now = self._clock.now()
        await self._database.write(lambda connection: JobRepository(connection).request_cancel(job_id, now))

    async def find_by_webhook(self, webhook_hash: str) -> tuple[Job, Attempt] | None:
        """Return the job and the attempt whose provider was given this webhook."""

        def read(connection: Connection) -> tuple[Job, Attempt] | None:
            attempt = AttemptRepository(connection).find_by_webhook(webhook_hash)
            return None if attempt is None else (JobRepository(connection).get(attempt.job_id), attempt)

        return await self._database.read(read)

    async def claim_reconciliations(self, limit: int) -> tuple[Job, ...]:
        """Take those jobs whose provider is to be asked again now; no other worker gets the same ones."""
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Job, ...]:
            jobs = JobRepository(connection)
            due = jobs.list_reconcilable(now, limit)
            return tuple(job for job in due if jobs.postpone_reconciliation(job, now + RECONCILING_PAUSE))

        return await self._database.write(write)

    async def schedule_reconciliation(self, job: Job) -> None:
        """A webhook tells of a job that has ended without an answer: ask soon."""
        now = self._clock.now()
        await self._database.write(lambda connection: JobRepository(connection).schedule_reconciliation(job.id, now))

    async def finish_reconciliation(
        self, job: Job, pictures: Sequence[ResultImage] = (), cost: int | None = None
    ) -> None:
        """Nothing more will be heard of a job that had ended; pictures that came late are free."""
        now = self._clock.now()

        def write(connection: Connection) -> None:
            if JobRepository(connection).schedule_reconciliation(job.id, None) and pictures:
                ResultImageRepository(connection).add_all(pictures, now)
                AttemptRepository(connection).update_latest(job.id, cost=cost)

        await self._database.write(write)

    def _end(
        self,
        connection: Connection,
        job: Job,
        to: State,
        now: datetime,
        *,
        charge: int = 0,
        fault: FaultKind | None = None,
        reconcile_at: datetime | None = None,
    ) -> Job:
        ended = JobRepository(connection).advance(
            job, to, finished_at=now, charged=charge, fault=fault, reconcile_at=reconcile_at
        )
        self._ledger.settle(connection, ended, charge, fault or to, now)
        return ended
