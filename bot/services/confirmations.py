"""Confirmations: requests stored until their member says yes or no.

A request needs one if it costs more than the member's limit. It is stored for a day at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.confirmations import CONFIRMATION_LIFETIME, Confirmation
from bot.domain.errors import (
    AlreadyAskedError,
    AtelierError,
    ConfirmationGoneError,
    NotAllowedError,
)
from bot.domain.jobs import InteractionContext, Origin
from bot.domain.lazy_text import LazyText
from bot.domain.requests import GenerationRequest, price
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.services.job_creation import DEDUP_WINDOW
from bot.services.member_limits import MAX_STORED, FreeAction, MemberLimits
from bot.services.request_gate import RequestGate
from db.accounts import AccountRepository
from db.confirmations import ConfirmationRepository
from db.database import Database


class ConfirmationService:
    """Store of requests awaiting confirmation.

    No credits are held.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        catalogue: Catalogue,
        new_id: Callable[[], str],
        limits: MemberLimits,
        gate: RequestGate,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._catalogue = catalogue
        self._new_id = new_id
        self._limits = limits
        self._gate = gate

    async def add(
        self,
        place: InteractionContext,
        request: GenerationRequest,
        origin: Origin | None = None,
        *,
        confirmation_id: str | None = None,
    ) -> Confirmation:
        """Store a request and return its confirmation.

        A request that could not be created now is rejected at once, before the member is asked. With a fixed
        `confirmation_id`, the same request is stored once.

        Raises:
            NotInServerError: the request comes from outside a server and that is not allowed.
            NotAdmittedError: the server is not admitted.
            PromptRefusedError: a prompt rule forbids words of the request.
            UnsupportedOptionError: the model does not support an option.
            StudioClosedError: no model is offered at all.
            ModelClosedError: no provider takes this request now.
            InsufficientCreditsError: the member cannot pay the price.
            AlreadyAskedError: the member was asked about the same request within `DEDUP_WINDOW`.
            TooManyRequestsError: the member was asked very often within a minute.
        """
        self._limits.count(FreeAction.CONFIRMATION, place.member_id)
        confirmation = self._confirmation(confirmation_id or self._new_id(), place, request, origin)

        def write(connection: Connection) -> None:
            self._add(connection, place, confirmation)

        await self._gate.write(place, write)
        return confirmation

    async def add_all(
        self, place: InteractionContext, requests: Sequence[GenerationRequest], origin: Origin | None, *, most: int
    ) -> tuple[Confirmation, ...]:
        """Store up to `most` requests to choose from, the first possible ones.

        Raises:
            TooManyRequestsError: the member was asked very often within a minute.
        """
        self._limits.count(FreeAction.CONFIRMATION, place.member_id)

        def write(connection: Connection) -> tuple[Confirmation, ...]:
            added: list[Confirmation] = []
            for request in requests:
                if len(added) == most:
                    break
                try:
                    confirmation = self._confirmation(self._new_id(), place, request, origin)
                    self._add(connection, place, confirmation)
                except AtelierError:
                    continue  # such as one that the member cannot pay
                added.append(confirmation)
            return tuple(added)

        return await self._database.write(write)

    def _confirmation(
        self, confirmation_id: str, place: InteractionContext, request: GenerationRequest, origin: Origin | None
    ) -> Confirmation:
        return Confirmation(
            id=confirmation_id,
            guild_id=place.guild_id,
            member_id=place.member_id,
            request=request,
            price=price(request, self._catalogue),
            private=place.private,
            created_at=self._clock.now(),
            origin=origin,
        )

    def _add(self, connection: Connection, place: InteractionContext, confirmation: Confirmation) -> None:
        """Store a confirmation; raises as `add` does."""
        guild_id, member_id, now = confirmation.guild_id, confirmation.member_id, confirmation.created_at
        rules = self._gate.check(connection, place, confirmation.request, is_question=True).rules
        terms = self._ledger.terms(connection, guild_id, member_id, now, place.roles, rules)
        account = self._ledger.available(connection, guild_id, member_id, now, place.roles)
        self._ledger.require(connection, account, terms, confirmation.price)
        confirmations = ConfirmationRepository(connection)
        # The lock makes a simultaneous press visible here, in whichever process it arrived.
        AccountRepository(connection).lock(guild_id, member_id)
        recent = confirmations.list_since(guild_id, member_id, now - DEDUP_WINDOW)
        is_repeated = confirmations.find(confirmation.id) is not None
        if is_repeated or any(_dedup_key(each) == _dedup_key(confirmation) for each in recent):
            raise AlreadyAskedError
        confirmations.add(confirmation, most=MAX_STORED)

    async def get(self, confirmation_id: str, member_id: int, *, shown: int = 0) -> tuple[Confirmation, bool]:
        """Return a confirmation at its current price.

        The second value says whether that price is higher than the one `shown` on the pressed button. 0 is for buttons
        without it: the price stored last counts.

        Raises:
            ConfirmationGoneError: it was answered or has expired.
            NotAllowedError: it is another member's.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Confirmation, bool]:
            confirmations = ConfirmationRepository(connection)
            confirmation = confirmations.get(confirmation_id)
            _check(confirmation, member_id)
            if confirmation.created_at + CONFIRMATION_LIFETIME < now:
                raise ConfirmationGoneError(expired=True)
            current = replace(confirmation, price=price(confirmation.request, self._catalogue))
            if current.price != confirmation.price:
                confirmations.set_price(confirmation_id, current.price)
            return current, current.price > (shown or confirmation.price)

        return await self._database.write(write)

    async def replace_source(
        self, confirmation_id: str, member_id: int, request: GenerationRequest, origin: Origin
    ) -> Confirmation:
        """Store another picture to start from, at the same price or a new one.

        Raises:
            ConfirmationGoneError: it was already answered.
            NotAllowedError: it is another member's.
        """

        def write(connection: Connection) -> Confirmation:
            confirmations = ConfirmationRepository(connection)
            stored = confirmations.get(confirmation_id)
            _check(stored, member_id)
            confirmations.take(confirmation_id)
            changed = replace(stored, request=request, price=price(request, self._catalogue), origin=origin)
            confirmations.add(changed, most=MAX_STORED)
            return changed

        return await self._database.write(write)

    async def delete(self, confirmation_id: str, member_id: int) -> None:
        """Delete a declined confirmation.

        Raises:
            ConfirmationGoneError: it was already answered.
            NotAllowedError: it is another member's.
        """

        def write(connection: Connection) -> None:
            confirmations = ConfirmationRepository(connection)
            _check(confirmations.get(confirmation_id), member_id)
            confirmations.take(confirmation_id)

        await self._database.write(write)


def _check(confirmation: Confirmation, member_id: int) -> None:
    if confirmation.member_id != member_id:
        raise NotAllowedError(LazyText("the member who was asked"))


def _dedup_key(confirmation: Confirmation) -> tuple[object, ...]:
    """Return equal keys for equal requests.

    Input URLs are signed again each time, so only their paths count.
    """
    request = confirmation.request
    pictures = [(each.parent, each.file, urlsplit(each.url or "").path) for each in request.inputs]
    return replace(request, inputs=()), pictures, confirmation.origin, confirmation.private
