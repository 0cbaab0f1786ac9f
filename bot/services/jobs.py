"""Creation and cancellation of jobs.

Creating a job holds its credits. The engine gets the job once its card is on Discord.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from sqlalchemy import Connection

from bot.domain.attachments import SERVED, AttachmentInfo, InputPolicy
from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    JobDeletedError,
    JobStateError,
    NotAllowedError,
)
from bot.domain.images import InputImage
from bot.domain.jobs import Delivery, InteractionContext, Job, Origin, Snapshot, State
from bot.domain.lazy_text import LazyText
from bot.domain.requests import GenerationRequest, price, require_prompt
from bot.engine.card_store import CardStore
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.job_store import JobStore
from bot.engine.ledger import Ledger
from bot.engine.storage_gate import StorageGate
from bot.services.job_creation import JobCreator, JobOrder, ResolvedOrder
from bot.services.job_snapshots import JobSnapshotService
from bot.services.request_gate import RequestGate
from bot.services.request_resolver import RequestResolver, ResolvedRequest
from db.cards import CardRepository
from db.confirmations import ConfirmationRepository
from db.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The acting member, their guild, and whether they moderate it."""

    member_id: int
    guild_id: int = 0
    moderator: bool = False

    def may_manage(self, job: Job) -> bool:
        """Return whether the job is the actor's own or in a guild they moderate.

        Moderators cannot see private jobs, so these are their member's alone.
        """
        if self.member_id == job.place.member_id:
            return True
        return not job.is_private and self.moderates(job)

    def moderates(self, job: Job) -> bool:
        """Return whether the job is in a guild moderated by the actor."""
        return self.moderator and self.guild_id == job.place.guild_id


class JobService:
    """Creation and cancellation of jobs.

    If it `moderates_prompts`, the engine checks them before a job is queued.
    """

    def __init__(
        self,
        *,
        database: Database,
        job_store: JobStore,
        card_store: CardStore,
        engine: Engine,
        ledger: Ledger,
        gate: RequestGate,
        clock: Clock,
        config: EngineConfig,
        storage_gate: StorageGate,
        catalogue: Catalogue,
        new_id: Callable[[], str],
        snapshots: JobSnapshotService,
        policy: InputPolicy = SERVED,
        moderates_prompts: bool = False,
    ) -> None:
        self._database = database
        self._job_store = job_store
        self._card_store = card_store
        self._engine = engine
        self._creator = JobCreator(
            database=database,
            ledger=ledger,
            gate=gate,
            config=config,
            storage_gate=storage_gate,
            snapshots=snapshots,
        )
        self._clock = clock
        self._catalogue = catalogue
        self._new_id = new_id
        self._policy = policy
        self._moderates_prompts = moderates_prompts

    def check_attachments(self, offered: Sequence[AttachmentInfo]) -> tuple[InputImage, ...]:
        """Return attachments as inputs, judged by Discord's metadata alone.

        Nothing is fetched here: the files themselves are checked once the job's card is on Discord.

        Raises:
            InputError: an attachment cannot be used.
        """
        return self._policy.admit(offered, self._clock.now())

    def filter_attachments(self, offered: Sequence[AttachmentInfo]) -> tuple[AttachmentInfo, ...]:
        """Return the attachments usable as inputs.

        Raises:
            InputError: none is usable.
        """
        return self._policy.select_usable(offered, self._clock.now())

    def pause_dispatch(self) -> AbstractContextManager[None]:
        """Pause dispatching while a response is pending.

        Interactions expire after 3 s.
        """
        return self._engine.pause_dispatch()

    async def resolve_and_create(
        self, places: Mapping[bool, InteractionContext], resolve: RequestResolver, *, origin: Origin | None = None
    ) -> Snapshot | ResolvedRequest:
        """Resolve a request and create its job.

        Return the request instead if its price exceeds the member's limit for unconfirmed requests. `places` holds the
        interaction's context for a public (False) and a private (True) job. For the rest see `create`. Raises what
        `resolve` and `create` raise.
        """
        now = self._clock.now()

        def job_of(resolved: ResolvedRequest) -> Job | ResolvedRequest:
            if price(resolved.request, self._catalogue) > resolved.confirm_over:
                return resolved
            return self._job(places[resolved.private], resolved.request, origin, now)

        order = ResolvedOrder(place=places[False], resolver=resolve, job_of=job_of, is_plain=origin is None)
        made = await self._creator.create(order)
        if isinstance(made, Snapshot):
            self._engine.schedule_ack_check(made.job.id)
        return made

    async def create(
        self,
        place: InteractionContext,
        request: GenerationRequest,
        *,
        origin: Origin | None = None,
        confirmation_id: str | None = None,
    ) -> Snapshot:
        """Hold the price, create the job durably, and return its first snapshot.

        `origin` is the job that this one is made from; the confirmation `confirmation_id` is consumed. Nothing is
        fetched, or sent to a provider, before `mark_acknowledged`. If this raises, nothing is held.

        Raises:
            InputError: an input image cannot be used.
            PromptError: the prompt of the earlier job is no longer kept.
            PromptRefusedError: a prompt rule forbids words of the request.
            NotInServerError: the request comes from outside a server and that is not allowed.
            NotAdmittedError: the server is not admitted.
            UnsupportedOptionError: the model does not support an option.
            StudioClosedError: no model is offered at all.
            ModelClosedError: no provider takes this request now.
            NoGuildKeyError: the server uses own keys, and none of them serves the request.
            StorageFullError: there is no space for its images.
            QueueFullError: too many of the member's jobs are waiting.
            InsufficientCreditsError: the member cannot pay the price.
            BudgetSpentError: the operator's monthly budget does not cover the price.
            ImageGoneError: an input image's file was deleted meanwhile.
            AgeRestrictedError: a picture to start from may not be used in this channel.
            JobDeletedError, NotAllowedError, SharingError: the origin is no source any more, see `check_source`.
            PictureTakenDownError: an input image was taken down.
            DuplicateInteractionError: this interaction already has a job.
            ConfirmationGoneError: the confirmation was already answered.
            AlreadyBegunError: the same button press already created a job.
        """
        now = self._clock.now()

        job = self._job(place, request, origin, now)

        def job_of(connection: Connection) -> Job:
            if confirmation_id is not None:
                ConfirmationRepository(connection).take(confirmation_id)
            return job

        is_plain = origin is None and confirmation_id is None
        snapshot = await self._creator.create(JobOrder(place=place, job_of=job_of, is_plain=is_plain))
        self._engine.schedule_ack_check(job.id)
        return cast("Snapshot", snapshot)  # the member was asked before

    async def create_all(
        self,
        places: Sequence[InteractionContext],
        requests: Sequence[GenerationRequest],
        *,
        duel_id: str,
        prepare: Callable[[Connection, Sequence[Job]], None],
    ) -> tuple[Snapshot, ...]:
        """Create the jobs of a duel and return their first snapshots.

        All are made or none. `prepare` is called first in their transaction. Raises what it and `create` raise; then
        nothing is held.
        """
        now = self._clock.now()
        jobs = [
            replace(self._job(place, request, None, now), duel_id=duel_id)
            for place, request in zip(places, requests, strict=True)
        ]

        snapshots = await self._creator.create_together(places[0], jobs, prepare)
        for job in jobs:
            self._engine.schedule_ack_check(job.id)
        return snapshots

    def _job(self, place: InteractionContext, request: GenerationRequest, origin: Origin | None, now: datetime) -> Job:
        self._policy.check(request.inputs, now)
        # An earlier job's address of an input ends with that job.
        request = replace(request, inputs=tuple(replace(each, provider_url=None) for each in request.inputs))
        return Job(
            id=self._new_id(),
            place=place,
            request=request,
            price=price(request, self._catalogue),
            state=State.HELD,
            fence=0,
            tries=0,
            created_at=now,
            due_at=now,
            owner=self._engine.worker_id,
            prepared=not self._moderates_prompts and self._is_complete(request),
            origin=origin,
        )

    def _is_complete(self, request: GenerationRequest) -> bool:
        """Return whether a request needs no preparation of its inputs."""
        stored = all(each.file is not None for each in request.inputs)
        return not request.inputs or (self._policy.served and stored)

    async def mark_acknowledged(self, job_id: str, message_id: int | None, *, private: bool | None = None) -> None:
        """Release the job to the engine: its card is on Discord.

        `private` is Discord's word on the card; None if unknown.
        """
        if await self._card_store.mark_acknowledged(job_id, message_id, private=private):
            self._engine.schedule_inputs(job_id)
        else:
            self._engine.wake()

    async def abandon(self, job: Job, *, refused: bool = False) -> None:
        """Cancel a job without a card and release its credits.

        If the card appears later, it shows the cancellation. `refused`: it never will.
        """
        await self._job_store.mark_cancelled(job)
        if refused:
            await self._card_store.mark_delivered(job.id, Delivery.NOWHERE)

    async def withdraw(self, job: Job, other_job_id: str | None) -> None:
        """Cancel a job without showing it: its interaction has another answer.

        `other_job_id` is the job of that answer, if known.
        """
        await self._job_store.mark_withdrawn(job, other_job_id)

    async def cancel(self, job_id: str, actor: Actor) -> None:
        """Request a job's cancellation; the card shows the outcome.

        Raises:
            NotAllowedError: see `check_manageable`.
            JobStateError: the job has ended or can no longer be cancelled.
        """
        job, _ = await self._job_store.get(job_id)
        check_manageable(job, actor)
        if job.state.ended or job.cancel_refused:
            raise JobStateError(job.state, "cancel")
        await self._job_store.request_cancel(job_id)
        await self._engine.schedule_now(job_id, interrupt=True)

    async def is_running(self, message_id: int) -> bool:
        """Return whether a message is the card of a job that has not ended."""
        return await self._database.read(lambda connection: CardRepository(connection).has_live_on(message_id))

    async def get_prompt(self, job_id: str, actor: Actor) -> str:
        """Return a job's whole prompt.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            NotAllowedError: the job is another member's private one.
            PromptError: the prompt is no longer kept.
        """
        job, _ = await self._job_store.get(job_id)
        check_visible(job, actor)
        require_prompt(job.request)
        return job.request.prompt


def check_manageable(job: Job, actor: Actor) -> None:
    """Check that an actor may cancel or delete a job.

    Raises:
        NotAllowedError: the actor is neither its member nor a moderator, or not the member of a private job.
    """
    if not actor.may_manage(job):
        raise NotAllowedError(LazyText("its member") if job.is_private else LazyText("its member or a moderator"))


def check_visible(job: Job, actor: Actor) -> None:
    """Check that an actor can see the job's card.

    Raises:
        JobDeletedError: the job was deleted.
        NotAllowedError: the job is another member's private one.
    """
    if job.deleted_at is not None:
        raise JobDeletedError
    if job.is_private and actor.member_id != job.place.member_id:
        raise NotAllowedError(LazyText("its member"))
