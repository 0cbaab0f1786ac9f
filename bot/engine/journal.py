"""Every step of a job as one durable transaction: the state, its attempt and its credits together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.catalogue import Offer
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Delivery, Job, Outcome, Picture, State
from bot.domain.requests import offers_for
from bot.engine.books import Books
from bot.engine.clock import Clock
from bot.engine.decisions import remaining_offers
from bot.engine.limits import Limits
from bot.providers.base import Failed, Finished, Pending
from db.attempts import AttemptRepository
from db.database import Database
from db.jobs import JobRepository
from db.pictures import PictureRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that got a slot, and the offer that it is to be submitted to."""

    job: Job
    offer: Offer


class Journal:
    """Carries jobs from state to state. Every method that changes one raises `StaleJobError` if it moved meanwhile."""

    def __init__(
        self, *, database: Database, books: Books, clock: Clock, limits: Limits, providers: Sequence[str]
    ) -> None:
        self._database = database
        self._books = books
        self._clock = clock
        self._limits = limits
        self._providers = tuple(providers)

    async def get(self, job_id: str) -> tuple[Job, Attempt | None]:
        """Return a job and its last attempt; raises `JobNotFoundError`."""

        def read(connection: Connection) -> tuple[Job, Attempt | None]:
            attempts = AttemptRepository(connection).list_for(job_id)
            return JobRepository(connection).get(job_id), attempts[-1] if attempts else None

        return await self._database.read(read)

    async def claim(self, most: int) -> tuple[list[Claim], tuple[str, ...], float | None]:
        """Give free slots to those whose turn it is.

        Return the claims (now SUBMITTING), the ids of those that still wait, and the seconds to the next one that
        waits for another try.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[list[Claim], tuple[str, ...], float | None]:
            jobs = JobRepository(connection)
            attempts = AttemptRepository(connection)
            line = jobs.line()
            if not line:
                return [], (), None
            busy = attempts.active_by_provider()
            claims: list[Claim] = []
            new: list[Attempt] = []
            for job in jobs.list_claimable(now, self._limits.active_per_member, most):
                earlier = attempts.list_for(job.id) if job.tries else ()
                offers = remaining_offers(offers_for(job.request, self._providers), earlier)
                free = [o for o in offers if busy.get(o.provider, 0) < self._limits.active_per_provider]
                if not free:
                    continue
                offer = free[0]
                busy[offer.provider] = busy.get(offer.provider, 0) + 1
                job = jobs.advance(job, State.SUBMITTING, provider=offer.provider, submitted_at=now)  # noqa: PLW2901
                claims.append(Claim(job=job, offer=offer))
                new.append(
                    Attempt(
                        job_id=job.id,
                        number=len(earlier) + 1,
                        provider=offer.provider,
                        outcome=Outcome.OPEN,
                        started_at=now,
                    )
                )
            if new:
                attempts.add_all(new)
            next_due = jobs.next_due(now)
            delay = None if next_due is None else (next_due - now).total_seconds()
            claimed = {claim.job.id for claim in claims}
            return claims, tuple(job_id for job_id in line if job_id not in claimed), delay

        return await self._database.write(write)

    async def accepted(self, job: Job, answer: Pending) -> Job:
        """The provider has the job: QUEUED or RUNNING."""
        to = State.RUNNING if answer.running else State.QUEUED

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).update_latest(
                job.id, handle=answer.handle, record_id=answer.record_id, cost=answer.cost
            )
            return JobRepository(connection).advance(job, to)

        return await self._database.write(write)

    async def running(self, job: Job) -> Job:
        """The provider has begun: QUEUED to RUNNING."""
        return await self._database.write(lambda connection: JobRepository(connection).advance(job, State.RUNNING))

    async def refused(self, job: Job, error: ProviderError, delay: float) -> Job:
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

    async def reply_lost(self, job: Job) -> Job:
        """The submit's answer never came: UNKNOWN, for ever marked on the attempt. The job ends as FAILED.

        Nothing tells whether the provider took it and nobody will be told, so the member gets the credits back, and
        the possible cost is the operator's.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).end_latest(job.id, Outcome.UNKNOWN, now, fault=FaultKind.REPLY_LOST)
            lost = job
            if job.state is State.SUBMITTING:
                lost = JobRepository(connection).advance(job, State.UNKNOWN)
            self._books.book_unknown_cost(connection, job, now)
            return self._end(connection, lost, State.FAILED, now, fault=FaultKind.REPLY_LOST)

        return await self._database.write(write)

    async def storing(self, job: Job, answer: Finished) -> Job:
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

    async def done(self, job: Job, pictures: Sequence[Picture]) -> Job:
        """The pictures are stored: capture their price, return the rest, and end."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            PictureRepository(connection).add_all(pictures, now)
            AttemptRepository(connection).end_latest(job.id, Outcome.COMPLETED, now)
            return self._end(connection, job, State.DONE, now, charge=job.unit_price * len(pictures))

        return await self._database.write(write)

    async def failed(self, job: Job, fault: FaultKind, answer: Failed | None = None) -> Job:
        """Nothing will come of it: release everything."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            extra = (
                {} if answer is None else {"handle": answer.handle, "record_id": answer.record_id, "cost": answer.cost}
            )
            AttemptRepository(connection).end_latest(job.id, Outcome.FAILED, now, fault=fault, **extra)
            return self._end(connection, job, State.FAILED, now, fault=fault)

        return await self._database.write(write)

    async def cancelled(self, job: Job) -> Job:
        """It was cancelled before anything was made: release everything."""
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            AttemptRepository(connection).end_latest(job.id, Outcome.CANCELLED, now)
            return self._end(connection, job, State.CANCELLED, now)

        return await self._database.write(write)

    async def lost(self, job: Job) -> Job:
        """The hard deadline passed: release everything."""
        now = self._clock.now()
        return await self._database.write(
            lambda connection: self._end(connection, job, State.LOST, now, fault=FaultKind.DEADLINE)
        )

    async def cancel_refused(self, job: Job) -> Job:
        """The provider has begun, so the cancel came too late."""
        return await self._database.write(lambda connection: JobRepository(connection).note(job, cancel_refused=True))

    async def acknowledged(self, job_id: str, message_id: int | None) -> None:
        """The card is on Discord, so the job may be submitted."""
        now = self._clock.now()
        await self._database.write(
            lambda connection: JobRepository(connection).set_acknowledged(job_id, message_id, now)
        )

    async def delivered(self, job_id: str, delivery: Delivery = Delivery.CARD) -> None:
        """Its member has the end, and where."""
        now = self._clock.now()
        await self._database.write(lambda connection: JobRepository(connection).set_delivered(job_id, now, delivery))

    async def intend_direct(self, job_id: str) -> bool:
        """A direct message is about to be sent; False where one may have been sent before."""
        now = self._clock.now()
        return await self._database.write(lambda connection: JobRepository(connection).set_direct(job_id, now))

    async def request_cancel(self, job_id: str) -> None:
        """Its member wants it cancelled; what comes of it is up to where the job is."""
        now = self._clock.now()
        await self._database.write(lambda connection: JobRepository(connection).request_cancel(job_id, now))

    async def take_over(self) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
        """Take all live jobs from an earlier process; return them, and the ended ones that were not delivered."""

        def write(connection: Connection) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
            jobs = JobRepository(connection)
            return jobs.take_over(), jobs.list_undelivered()

        return await self._database.write(write)

    def _end(
        self,
        connection: Connection,
        job: Job,
        to: State,
        now: datetime,
        *,
        charge: int = 0,
        fault: FaultKind | None = None,
    ) -> Job:
        ended = JobRepository(connection).advance(job, to, finished_at=now, charged=charge, fault=fault)
        self._books.settle(connection, ended, charge, fault or to, now)
        return ended
