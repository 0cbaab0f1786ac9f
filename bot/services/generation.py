"""Asking for pictures: hold the credits and make the job, let it go once its card is there, cancel it."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.errors import JobStateError, NotAllowedError, QueueFullError, StudioClosedError
from bot.domain.jobs import Job, Place, Snapshot, State
from bot.domain.requests import GenerationRequest, price, require_offer
from bot.engine.books import Books
from bot.engine.clock import Clock
from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.engine.limits import Limits
from bot.services.access import AccessService
from db.database import Database
from db.jobs import JobRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a member, where, and whether they may act on others' jobs there."""

    member_id: int
    community_id: int = 0
    moderator: bool = False

    def may_manage(self, job: Job) -> bool:
        """Whether the job is theirs, or of the community that they moderate."""
        if self.member_id == job.place.member_id:
            return True
        return self.moderator and self.community_id == job.place.community_id


class GenerationService:
    """Makes and cancels jobs."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        engine: Engine,
        books: Books,
        access: AccessService,
        clock: Clock,
        limits: Limits,
        providers: tuple[str, ...],
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._journal = journal
        self._engine = engine
        self._books = books
        self._access = access
        self._clock = clock
        self._limits = limits
        self._providers = providers
        self._new_id = new_id

    async def request(self, place: Place, request: GenerationRequest) -> Snapshot:
        """Hold the price and make the job, durably, and return what its first card shows.

        Nothing is sent to a provider before `acknowledged`. Raises `NotInServerError`, `NotAdmittedError`,
        `UnsupportedOptionError`, `StudioClosedError`, `QueueFullError`, `InsufficientCreditsError`,
        `BudgetSpentError`, or `DuplicateInteractionError`; then nothing is held.
        """
        now = self._clock.now()
        job = Job(
            id=self._new_id(),
            place=place,
            request=request,
            price=price(request),
            state=State.HELD,
            fence=0,
            tries=0,
            created_at=now,
            due_at=now,
            owner=self._engine.worker_id,
        )

        def write(connection: Connection) -> int:
            self._access.check(connection, place.community_id)
            require_offer(request, self._providers)
            if self._engine.shut(request):
                raise StudioClosedError
            jobs = JobRepository(connection)
            account = self._books.hold(connection, job, lambda: jobs.add(job), now)
            if jobs.count_waiting(place.community_id, place.member_id) > self._limits.waiting_per_member:
                raise QueueFullError(self._limits.waiting_per_member)
            return account.available

        available = await self._database.write(write)
        self._engine.watch(job.id)
        return Snapshot(job=job, available=available)

    async def acknowledged(self, job_id: str, message_id: int | None) -> None:
        """Let the job go: its card is on Discord."""
        await self._journal.acknowledged(job_id, message_id)
        self._engine.wake()

    async def abandon(self, job: Job) -> None:
        """Cancel a job whose card did not appear, and give the credits back; should it still appear, it says so."""
        await self._journal.cancelled(job)

    async def cancel(self, job_id: str, actor: Actor) -> None:
        """Ask for a job to be cancelled; what comes of it shows on its card.

        Raises `NotAllowedError` for others than its member and moderators, `JobStateError` when it has ended.
        """
        job, _ = await self._journal.get(job_id)
        if not actor.may_manage(job):
            raise NotAllowedError("its member or a moderator")
        if job.state.ended or job.cancel_refused:
            raise JobStateError(job.state, "cancel")
        await self._journal.request_cancel(job_id)
        await self._engine.look_at(job_id)

    async def prompt(self, job_id: str) -> str:
        """Return a job's whole prompt; raises `JobNotFoundError`."""
        job, _ = await self._journal.get(job_id)
        return job.request.prompt
