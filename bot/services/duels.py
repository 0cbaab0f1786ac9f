"""Duels: their question, jobs, vote, end and ranking."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.bans import BanScope
from bot.domain.catalogue import Catalogue
from bot.domain.confirmations import CONFIRMATION_LIFETIME, Confirmation, DuelPlan
from bot.domain.duels import MAX_MODELS, MIN_PICTURES, MIN_VOTES, OPENS_WITHIN, Duel, DuelEntry, Phase, Standing, rank
from bot.domain.errors import (
    AlreadyAskedError,
    ConfirmationGoneError,
    JobStateError,
    NotAllowedError,
    NotInServerError,
    OwnDuelError,
    PicturesHiddenError,
    SameModelError,
    VoteClosedError,
)
from bot.domain.images import ResultImage
from bot.domain.jobs import Delivery, InteractionContext, Job, State
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind
from bot.domain.requests import GenerationRequest, price
from bot.engine.card_store import CardStore
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.engine.member_identity import MemberIdentity
from bot.services.access import AccessService
from bot.services.job_creation import DEDUP_WINDOW
from bot.services.job_sources import is_hidden
from bot.services.jobs import Actor, JobService, check_manageable
from bot.services.member_limits import MAX_STORED, FreeAction, MemberLimits
from bot.services.request_gate import RequestGate, check_ban
from bot.services.request_resolver import ResolverService
from db.accounts import AccountRepository
from db.audit_log import AuditLogRepository
from db.confirmations import ConfirmationRepository
from db.database import Database
from db.duels import DuelRepository
from db.jobs import JobRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository

_MOST_PENDING: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelView:
    """All data of a duel's message.

    `jobs` are in the order of the entries. `pictures` are those to be shown, by position: kept, and not hidden.
    `hidden` are those hidden after reports, `expired` those that are no longer kept.
    """

    duel: Duel
    jobs: tuple[Job, ...]
    pictures: Mapping[int, ResultImage]
    hidden: frozenset[int] = frozenset()
    expired: frozenset[int] = frozenset()

    @property
    def card_job(self) -> Job:
        """The job with the place of the message."""
        return self.jobs[0]

    @property
    def ended_jobs(self) -> int:
        """The number of ended jobs."""
        return sum(job.state.ended for job in self.jobs)

    @property
    def made(self) -> tuple[int, ...]:
        """The positions of finished pictures."""
        return tuple(position for position, job in enumerate(self.jobs) if job.state is State.DONE)

    @property
    def is_delivered(self) -> bool:
        """True if the message has shown the outcome of all jobs."""
        return all(job.delivered_at is not None for job in self.jobs)


class DuelService:
    """Duels from their question to their ranking.

    `randomness` decides the order of the pictures.
    """

    def __init__(
        self,
        *,
        database: Database,
        jobs: JobService,
        card_store: CardStore,
        resolver: ResolverService,
        gate: RequestGate,
        ledger: Ledger,
        access: AccessService,
        identity: MemberIdentity,
        limits: MemberLimits,
        catalogue: Catalogue,
        clock: Clock,
        new_id: Callable[[], str],
        randomness: random.Random,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._card_store = card_store
        self._resolver = resolver
        self._gate = gate
        self._ledger = ledger
        self._access = access
        self._identity = identity
        self._limits = limits
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id
        self._random = randomness

    async def ask(
        self, place: InteractionContext, *, prompt: str, models: Sequence[str], aspect_ratio: str | None, hours: int
    ) -> Confirmation:
        """Store a duel until its confirmation, and return the question.

        The price is that of all pictures. A duel that could not be made now is rejected at once. Nothing is held.

        Raises:
            SameModelError: a model is given twice.
            RequestError: a model cannot do the request.
            InsufficientCreditsError: the member cannot pay all pictures.
            AlreadyAskedError: the member was asked the same within `DEDUP_WINDOW`.
            TooManyRequestsError: the member was asked very often within a minute.
            AtelierError: see `RequestGate.check`.
        """
        self._limits.count(FreeAction.CONFIRMATION, place.member_id)
        resolvers = [
            self._resolver.resolver_for(
                guild_id=place.guild_id,
                member_id=place.member_id,
                prompt=prompt,
                options={"model": model, "aspect_ratio": aspect_ratio, "images": 1},
                roles=place.roles,
            )
            for model in models
        ]
        now = self._clock.now()

        def write(connection: Connection) -> Confirmation:
            if not place.guild_id:
                raise NotInServerError
            first, *others = [resolve(connection).request for resolve in resolvers]
            confirmation = Confirmation(
                id=self._new_id(),
                guild_id=place.guild_id,
                member_id=place.member_id,
                request=first,
                price=self.price([first, *others]),
                private=False,
                created_at=now,
                duel=DuelPlan(others=tuple(others), hours=hours),
            )
            _check_models(confirmation.requests)
            self._require_all(connection, place, confirmation.requests, now)
            confirmations = ConfirmationRepository(connection)
            # The lock makes a simultaneous command visible here, in whichever process it arrived.
            AccountRepository(connection).lock(place.guild_id, place.member_id)
            recent = confirmations.list_since(place.guild_id, place.member_id, now - DEDUP_WINDOW)
            if any((each.request, each.duel) == (confirmation.request, confirmation.duel) for each in recent):
                raise AlreadyAskedError
            confirmations.add(confirmation, most=MAX_STORED)
            return confirmation

        return await self._gate.write(place, write)

    def price(self, requests: Sequence[GenerationRequest]) -> int:
        """Return the credits of all requests."""
        return sum(price(request, self._catalogue) for request in requests)

    def prices(self, requests: Sequence[GenerationRequest]) -> dict[str, int]:
        """Return the credits of requests, by model."""
        return {request.model: price(request, self._catalogue) for request in requests}

    def _require_all(
        self,
        connection: Connection,
        place: InteractionContext,
        requests: Sequence[GenerationRequest],
        now: datetime,
    ) -> None:
        """Check all requests together before the first one is held.

        The holds follow one by one: each would say that it alone cannot be paid.
        """
        for request in requests:
            rules = self._gate.check(connection, place, request, is_question=True).rules
        terms = self._ledger.terms(connection, place.guild_id, place.member_id, now, place.roles, rules)
        account = self._ledger.available(connection, place.guild_id, place.member_id, now, place.roles)
        self._ledger.require(connection, account, terms, self.price(requests))

    async def get_question(self, confirmation_id: str, member_id: int, *, shown: int) -> tuple[Confirmation, bool]:
        """Return a duel's question at its current price.

        The second value says whether that price is higher than the one `shown` on the pressed button.

        Raises:
            ConfirmationGoneError: it was answered or has expired.
            NotAllowedError: it is another member's.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Confirmation, bool]:
            confirmations = ConfirmationRepository(connection)
            stored = _own_question(confirmations, confirmation_id, member_id, now)
            current = replace(stored, price=self.price(stored.requests))
            if current.price != stored.price:
                confirmations.set_price(confirmation_id, current.price)
            return current, current.price > shown

        return await self._database.write(write)

    async def create(self, place: InteractionContext, confirmation: Confirmation) -> DuelView:
        """Hold the price of all pictures and create the duel, or nothing.

        Its question is consumed.

        Raises:
            ConfirmationGoneError: it was answered already.
            AtelierError: see `JobService.create`.
        """
        now, duel_id = self._clock.now(), self._new_id()
        requests = list(confirmation.requests)
        self._random.shuffle(requests)
        made: list[Duel] = []

        def prepare(connection: Connection, jobs: Sequence[Job]) -> None:
            confirmations = ConfirmationRepository(connection)
            _own_question(confirmations, confirmation.id, place.member_id, now)
            confirmations.take(confirmation.id)
            self._require_all(connection, place, requests, now)
            entries = [
                DuelEntry(position=position, job_id=job.id, model=job.request.model)
                for position, job in enumerate(jobs)
            ]
            duel = Duel(
                id=duel_id,
                guild_id=place.guild_id,
                member_id=place.member_id,
                hours=confirmation.duel.hours if confirmation.duel is not None else DuelPlan(others=()).hours,
                created_at=now,
                entries=tuple(entries),
            )
            DuelRepository(connection).add(duel)
            made[:] = [duel]

        places = [_place_of(place, position) for position in range(len(requests))]
        snapshots = await self._jobs.create_all(places, requests, duel_id=duel_id, prepare=prepare)
        return DuelView(duel=made[0], jobs=tuple(each.job for each in snapshots), pictures={})

    async def mark_acknowledged(self, view: DuelView, message_id: int | None) -> None:
        """Release the jobs to the engine: the duel's message is on Discord."""
        for job in view.jobs:
            await self._jobs.mark_acknowledged(job.id, message_id, private=False)

    async def abandon(self, view: DuelView) -> None:
        """Cancel and end a duel without a message."""
        for job in view.jobs:
            await self._jobs.abandon(job, refused=True)
        await self.give_up(view.duel.id)

    async def withdraw(self, view: DuelView, other_job_id: str | None) -> None:
        """Cancel a duel without showing it.

        Its interaction has another answer.
        """
        for job in view.jobs:
            await self._jobs.withdraw(job, other_job_id)
        await self.give_up(view.duel.id)

    async def get(self, duel_id: str) -> DuelView:
        """Return a duel; raises `DuelGoneError`."""
        return await self._database.read(lambda connection: _view(connection, duel_id))

    async def advance(self, duel_id: str) -> DuelView:
        """Open or end a duel's vote if it is due, and return the duel.

        It opens once all jobs have ended. Of several processes, one does each. Raises `DuelGoneError`.
        """
        view = await self.get(duel_id)
        if not self._is_due(view):
            return view
        return await self._database.write(lambda connection: self._advance(connection, duel_id))

    def _is_due(self, view: DuelView) -> bool:
        duel = view.duel
        match duel.phase:
            case Phase.RUNNING:
                return view.ended_jobs == len(view.jobs)
            case Phase.VOTING:
                return not duel.is_open(self._clock.now())
            case Phase.ENDED:
                return False

    def _advance(self, connection: Connection, duel_id: str) -> DuelView:
        view, now = _view(connection, duel_id), self._clock.now()
        if self._is_due(view):
            duels = DuelRepository(connection)
            if view.duel.phase is Phase.RUNNING and len(view.pictures) >= MIN_PICTURES:
                duels.open(duel_id, now, now + timedelta(hours=view.duel.hours))
            else:
                self._end(connection, view, now)
        return _view(connection, duel_id)

    def _end(self, connection: Connection, view: DuelView, now: datetime) -> bool:
        """End a duel and count its votes; return False if another process did."""
        duels, duel = DuelRepository(connection), view.duel
        if not duels.end(duel.id, now):
            return False
        votes = duels.settle_votes(duel, view.made, now)
        # A deleted picture took its duel's message along.
        is_whole = all(job.deleted_at is None for job in view.jobs)
        if duel.phase is Phase.VOTING and is_whole and len(view.made) >= MIN_PICTURES and votes >= MIN_VOTES:
            duels.set_counts(duel.id)
        return True

    async def vote(self, duel_id: str, position: int, actor: Actor) -> tuple[Duel, bool]:
        """Store a vote; return the duel, and True if it changed an earlier one.

        Raises:
            DuelGoneError: there is no such duel.
            NotAllowedError: the duel is another server's.
            VoteClosedError: the vote is not open.
            OwnDuelError: the member is its organizer.
            PicturesHiddenError: the picture is hidden after reports.
            BannedError: the member may not share, or not use the studio.
            NotAdmittedError: the server is not admitted.
            DeletionRunningError: everything about the member is being deleted.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Duel, bool]:
            self._identity.welcome(connection, actor.member_id)
            duels = DuelRepository(connection)
            duel = duels.get(duel_id, hold=True)
            if duel.guild_id != actor.guild_id:
                raise NotAllowedError(LazyText("a member of its server"))
            self._access.check(connection, duel.guild_id)
            check_ban(connection, duel.guild_id, actor.member_id, now, BanScope.SHARING)
            if not duel.is_open(now):
                raise VoteClosedError(duel.ended_at or duel.ends_at)
            if actor.member_id == duel.member_id:
                raise OwnDuelError
            view = _view(connection, duel_id)
            if position not in view.made:
                raise VoteClosedError
            if position in view.hidden:
                raise PicturesHiddenError
            return duel, duels.vote(duel_id, actor.member_id, position, now)

        return await self._database.write(write)

    async def get_endable(self, duel_id: str, actor: Actor) -> tuple[DuelView, int]:
        """Return an open duel and its number of votes, before its end.

        Raises:
            DuelGoneError: there is no such duel.
            NotAllowedError: the actor is neither its organizer nor a moderator.
            VoteClosedError: the vote is not open.
        """

        def read(connection: Connection) -> tuple[DuelView, int]:
            view = self._endable(connection, duel_id, actor)
            return view, DuelRepository(connection).count_votes(duel_id)

        return await self._database.read(read)

    async def end(self, duel_id: str, actor: Actor) -> None:
        """End a vote before its time; raises as `get_endable` does."""
        now = self._clock.now()

        def write(connection: Connection) -> None:
            view = self._endable(connection, duel_id, actor)
            if not self._end(connection, view, now):
                raise VoteClosedError(now)
            if actor.member_id != view.duel.member_id:
                entry = AuditEntry(
                    id=self._new_id(),
                    guild_id=view.duel.guild_id,
                    actor_id=actor.member_id,
                    action="duel.end",
                    target_id=view.duel.member_id,
                    at=now,
                )
                AuditLogRepository(connection).add(entry)

        await self._database.write(write)

    def _endable(self, connection: Connection, duel_id: str, actor: Actor) -> DuelView:
        view = _view(connection, duel_id)
        check_manageable(view.card_job, actor)
        if view.duel.phase is not Phase.VOTING:
            raise VoteClosedError(view.duel.ended_at)
        return view

    async def cancel(self, duel_id: str, actor: Actor) -> None:
        """Cancel the jobs of a duel, as far as possible.

        Raises:
            DuelGoneError: there is no such duel.
            NotAllowedError: the actor is neither its organizer nor a moderator.
            JobStateError: none can be stopped any more.
        """
        view = await self.get(duel_id)
        check_manageable(view.card_job, actor)
        stopped = 0
        for job in view.jobs:
            with suppress(JobStateError):
                await self._jobs.cancel(job.id, actor)
                stopped += 1
        if not stopped:
            raise JobStateError(State.RUNNING if view.duel.phase is Phase.RUNNING else State.DONE, "cancel")

    async def record_shown(self, view: DuelView, delivery: Delivery | None = None) -> None:
        """Record the update of a message.

        `delivery` is the place of the pictures if the message was out of reach. An edit after reports is repeated: this
        update may have undone it.
        """
        for position, job in enumerate(view.jobs):
            if job.delivered_at is None:
                kept = Delivery.CARD if delivery is None else delivery
                lost = delivery is not None and position not in view.pictures and position not in view.hidden
                await self._card_store.mark_delivered(job.id, Delivery.NOWHERE if lost else kept)
        now = self._clock.now()

        def write(connection: Connection) -> None:
            if view.duel.phase is Phase.ENDED:
                DuelRepository(connection).set_shown(view.duel.id, now)
            OutboxRepository(connection).refresh((MessageKind.CARD,), [view.card_job.id], now)

        await self._database.write(write)

    async def give_up(self, duel_id: str) -> None:
        """End a duel without a message; it does not count."""
        now = self._clock.now()

        def write(connection: Connection) -> None:
            duels = DuelRepository(connection)
            if duels.end(duel_id, now):
                duels.settle_votes(duels.get(duel_id), (), now)
            duels.set_shown(duel_id, now)

        await self._database.write(write)

    async def list_pending(self) -> tuple[str, ...]:
        """Return the due duels, and the ended ones to be shown."""
        now = self._clock.now()
        return await self._database.read(
            lambda connection: DuelRepository(connection).list_pending(now, now - OPENS_WITHIN, _MOST_PENDING)
        )

    async def standings(self, guild_id: int) -> tuple[tuple[Standing, ...], int]:
        """Return the ranking of a guild's models, and the number of its duels.

        Raises:
            NotInServerError: `guild_id` is 0.
            NotAdmittedError: the guild is not admitted.
        """
        if not guild_id:
            raise NotInServerError

        def read(connection: Connection) -> list[list[DuelEntry]]:
            self._access.check(connection, guild_id)
            return DuelRepository(connection).list_counting(guild_id)

        duels = await self._database.read(read)
        return rank(duels), len(duels)


def _own_question(
    confirmations: ConfirmationRepository, confirmation_id: str, member_id: int, now: datetime
) -> Confirmation:
    """Return a member's question unless it has expired."""
    stored = confirmations.get(confirmation_id)
    if stored.member_id != member_id:
        raise NotAllowedError(LazyText("the member who was asked"))
    if stored.created_at + CONFIRMATION_LIFETIME < now:
        raise ConfirmationGoneError(expired=True)
    return stored


def _check_models(requests: Sequence[GenerationRequest]) -> None:
    models = [request.model for request in requests]
    for model in models:
        if models.count(model) > 1:
            raise SameModelError(model)


def _place_of(place: InteractionContext, position: int) -> InteractionContext:
    """Return the place of a duel's job.

    Each interaction has one job. The first one has the interaction's id, so that the interaction makes one duel; the
    others have negative ids, which Discord never gives, and which differ for all interactions within 17 years.
    """
    if not position:
        return place
    return replace(place, interaction_id=-((place.interaction_id * MAX_MODELS + position) % 2**63))


def _view(connection: Connection, duel_id: str) -> DuelView:
    duel = DuelRepository(connection).get(duel_id)
    jobs = JobRepository(connection).list_by_id([entry.job_id for entry in duel.entries])
    found = ResultImageRepository(connection).list_for_all([job.id for job in jobs])
    pictures: dict[int, ResultImage] = {}
    hidden, expired = set[int](), set[int]()
    positions = {entry.job_id: entry.position for entry in duel.entries}
    for job in jobs:
        position, (kept, removed) = positions[job.id], found[job.id]
        if is_hidden(connection, job.id):
            hidden.add(position)
        elif kept:
            pictures[position] = kept[0]
        if removed and job.deleted_at is None:
            expired.add(position)
    return DuelView(
        duel=duel, jobs=tuple(jobs), pictures=pictures, hidden=frozenset(hidden), expired=frozenset(expired)
    )
