"""Asking for pictures: hold the credits and make the job, let it go once its card is there, cancel it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.attachments import SERVED, AttachmentInfo, InputPolicy
from bot.domain.errors import (
    AlreadyBegunError,
    JobDeletedError,
    JobStateError,
    NotAllowedError,
    QueueFullError,
    StudioClosedError,
)
from bot.domain.jobs import InteractionContext, Job, Origin, Snapshot, State
from bot.domain.lazy_text import LazyText
from bot.domain.models import DEFAULT_RATIO
from bot.domain.requests import GenerationRequest, InputImage, price, require_offer
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.job_store import JobStore
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from bot.services.files import require_files
from bot.services.request_resolver import Choice, Choose
from db.confirmations import ConfirmationRepository
from db.database import Database
from db.jobs import JobRepository

DEDUP_WINDOW: Final = timedelta(seconds=3)
"""Within this time, the same wish of the same member for the same picture is one press too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a member, where, and whether they may act on others' jobs there."""

    member_id: int
    guild_id: int = 0
    moderator: bool = False

    def may_manage(self, job: Job) -> bool:
        """Whether the job is theirs, or of the community that they moderate."""
        if self.member_id == job.place.member_id:
            return True
        return self.moderator and self.guild_id == job.place.guild_id


class JobService:
    """Makes and cancels jobs."""

    def __init__(
        self,
        *,
        database: Database,
        job_store: JobStore,
        engine: Engine,
        ledger: Ledger,
        access: AccessService,
        clock: Clock,
        config: EngineConfig,
        providers: tuple[str, ...],
        new_id: Callable[[], str],
        policy: InputPolicy = SERVED,
    ) -> None:
        self._database = database
        self._job_store = job_store
        self._engine = engine
        self._ledger = ledger
        self._access = access
        self._clock = clock
        self._config = config
        self._providers = providers
        self._new_id = new_id
        self._policy = policy

    def admitted(self, offered: Sequence[AttachmentInfo]) -> tuple[InputImage, ...]:
        """Return what a request can start from, by what Discord says of each picture; raises `InputError`.

        Nothing is fetched for it: what the pictures really are is seen once their job's card is there.
        """
        return self._policy.admitted(offered, self._clock.now())

    def usable(self, offered: Sequence[AttachmentInfo]) -> tuple[AttachmentInfo, ...]:
        """Return those of what was found somewhere that can be started from; raises `InputError` where none can."""
        return self._policy.usable(offered, self._clock.now())

    def answering(self) -> AbstractContextManager[None]:
        """Let what can wait a moment wait until this is left: answers are short of time, pictures are not."""
        return self._engine.pause_dispatch()

    async def order(
        self, places: Mapping[bool, InteractionContext], choose: Choose, *, origin: Origin | None = None
    ) -> Snapshot | Choice:
        """Make the job of what a member chose, or return the choice where it costs more than they spend unasked.

        `places` is where the job belongs, by whether it is private; for the rest see `request`. It raises what `choose`
        raises too.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Snapshot | Choice:
            choice = choose(connection)
            if price(choice.request) > choice.confirm_over:
                return choice
            return self._make(connection, self._job(places[choice.private], choice.request, origin, now))

        made = await self._database.write(write)
        if isinstance(made, Snapshot):
            self._engine.schedule_ack_check(made.job.id)
        return made

    async def request(
        self,
        place: InteractionContext,
        request: GenerationRequest,
        *,
        origin: Origin | None = None,
        draft_id: str | None = None,
    ) -> Snapshot:
        """Hold the price and make the job, durably, and return what its first card shows.

        `origin` is the job that it is made from; `draft_id` is the draft that it is, which is no more after that.
        Nothing is fetched, or sent to a provider, before `acknowledged`. Raises `InputError`, `NotInServerError`,
        `NotAdmittedError`, `UnsupportedOptionError`, `StudioClosedError`, `QueueFullError`, `InsufficientCreditsError`,
        `BudgetSpentError`, `ImageGoneError`, or, where it was made already, `DuplicateInteractionError`,
        `ConfirmationGoneError` or `AlreadyBegunError`; then nothing is held.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Snapshot:
            if draft_id is not None:
                ConfirmationRepository(connection).take(draft_id)
            return self._make(connection, self._job(place, request, origin, now))

        snapshot = await self._database.write(write)
        self._engine.schedule_ack_check(snapshot.job.id)
        return snapshot

    def _job(self, place: InteractionContext, request: GenerationRequest, origin: Origin | None, now: datetime) -> Job:
        self._policy.check(request.inputs, now)
        return Job(
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
            prepared=all(each.file is not None for each in request.inputs),
            origin=origin,
        )

    def _make(self, connection: Connection, job: Job) -> Snapshot:
        self._access.check(connection, job.place.guild_id)
        require_offer(job.request, self._providers)
        if self._engine.is_blocked(job.request):
            raise StudioClosedError
        require_files(connection, job.request.inputs)
        account = self._ledger.hold(connection, job, lambda: self._insert(connection, job), job.created_at)
        return Snapshot(job=job, available=account.available)

    def _insert(self, connection: Connection, job: Job) -> None:
        """Insert a job whose member's account the hold has locked, so that a press at the same moment is seen here."""
        jobs = JobRepository(connection)
        jobs.add(job)
        if job.origin is not None and _made_lately(jobs, job, job.origin):
            raise AlreadyBegunError
        place = job.place
        if jobs.count_waiting(place.guild_id, place.member_id) > self._config.waiting_per_member:
            raise QueueFullError(self._config.waiting_per_member)

    async def acknowledged(self, job_id: str, message_id: int | None) -> None:
        """Let the job go: its card is on Discord."""
        if await self._job_store.mark_acknowledged(job_id, message_id):
            self._engine.schedule_inputs(job_id)
        else:
            self._engine.wake()

    async def abandon(self, job: Job) -> None:
        """Cancel a job whose card did not appear, and give the credits back; should it still appear, it says so."""
        await self._job_store.mark_cancelled(job)

    async def cancel(self, job_id: str, actor: Actor) -> None:
        """Ask for a job to be cancelled; what comes of it shows on its card.

        Raises `NotAllowedError` for others than its member and moderators, `JobStateError` when it has ended.
        """
        job, _ = await self._job_store.get(job_id)
        if not actor.may_manage(job):
            raise NotAllowedError(LazyText("its member or a moderator"))
        if job.state.ended or job.cancel_refused:
            raise JobStateError(job.state, "cancel")
        await self._job_store.request_cancel(job_id)
        await self._engine.schedule_now(job_id, interrupt=True)

    async def prompt(self, job_id: str, actor: Actor) -> str:
        """Return a job's whole prompt; raises `JobNotFoundError`, `JobDeletedError`, or `NotAllowedError`."""
        job, _ = await self._job_store.get(job_id)
        check_visible(job, actor)
        return job.request.prompt


def check_visible(job: Job, actor: Actor) -> None:
    """Raise `JobDeletedError`, or `NotAllowedError` for who cannot see the job's card."""
    if job.deleted_at is not None:
        raise JobDeletedError
    if job.place.private and actor.member_id != job.place.member_id:
        raise NotAllowedError(LazyText("its member"))


def _made_lately(jobs: JobRepository, job: Job, origin: Origin) -> bool:
    """Return whether the member made another job with the same wish, of the same origin, a moment ago."""
    lately = jobs.list_children(origin.job_id, job.place.member_id, since=job.created_at - DEDUP_WINDOW)
    return any(each.id != job.id and each.origin == origin and _same(each, job) for each in lately)


def _same(one: Job, other: Job) -> bool:
    """Return whether two jobs ask for the same."""
    return _dedup_key(one) == _dedup_key(other) and one.place.guild_id == other.place.guild_id


def _dedup_key(job: Job) -> GenerationRequest:
    """Return what a job asks for without what changes from press to press, or soon after it.

    Where a picture can be fetched from is signed anew each time, and its form is known once it was.
    """
    wish = replace(job.request, inputs=())
    return replace(wish, aspect_ratio=DEFAULT_RATIO) if wish.keeps_form else wish
