"""Asking before spending: a request is kept until its member says yes or no, for a day at most."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import Connection

from bot.domain.confirmations import CONFIRMATION_LIFETIME, Confirmation
from bot.domain.credits import period_end
from bot.domain.errors import AlreadyAskedError, ConfirmationGoneError, InsufficientCreditsError, NotAllowedError
from bot.domain.jobs import InteractionContext, Origin
from bot.domain.lazy_text import LazyText
from bot.domain.requests import GenerationRequest, price, require_offer
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.services.access import AccessService
from bot.services.jobs import DEDUP_WINDOW
from db.accounts import AccountRepository
from db.confirmations import ConfirmationRepository
from db.database import Database


class ConfirmationService:
    """Keeps requests that wait for a word. Nothing is held for them; `providers` are those that the studio has."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        access: AccessService,
        clock: Clock,
        providers: tuple[str, ...],
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._access = access
        self._clock = clock
        self._providers = providers
        self._new_id = new_id

    async def keep(
        self, place: InteractionContext, request: GenerationRequest, origin: Origin | None = None
    ) -> Confirmation:
        """Keep a request that can be done and paid as things are, and return what to ask about.

        Raises `NotInServerError`, `NotAdmittedError`, `UnsupportedOptionError`, `StudioClosedError` or
        `InsufficientCreditsError`: who would be refused anyway is not asked first; or `AlreadyAskedError`, who was
        asked about the same a moment ago.
        """
        now = self._clock.now()
        draft = Confirmation(
            id=self._new_id(),
            guild_id=place.guild_id,
            member_id=place.member_id,
            request=request,
            price=price(request),
            private=place.private,
            created_at=now,
            origin=origin,
        )

        def write(connection: Connection) -> None:
            self._access.check(connection, place.guild_id)
            require_offer(request, self._providers)
            available = self._ledger.available(connection, place.guild_id, place.member_id, now).available
            if available < draft.price:
                raise InsufficientCreditsError(needed=draft.price, available=available, renews_at=period_end(now))
            drafts = ConfirmationRepository(connection)
            # Locked, so that a press at the same moment is seen here, whichever process it came to.
            AccountRepository(connection).lock(place.guild_id, place.member_id)
            lately = drafts.list_since(place.guild_id, place.member_id, now - DEDUP_WINDOW)
            if any(_same(each, draft) for each in lately):
                raise AlreadyAskedError
            drafts.add(draft)

        await self._database.write(write)
        return draft

    async def get(self, draft_id: str, member_id: int) -> tuple[Confirmation, bool]:
        """Return a draft at its price as of now, and whether it was asked about at a lower one.

        Raises `ConfirmationGoneError`, or `NotAllowedError` for others than its member.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Confirmation, bool]:
            drafts = ConfirmationRepository(connection)
            draft = drafts.get(draft_id)
            _check(draft, member_id)
            if draft.created_at + CONFIRMATION_LIFETIME < now:
                raise ConfirmationGoneError(expired=True)
            current = replace(draft, price=price(draft.request))
            if current.price != draft.price:
                drafts.set_price(draft_id, current.price)
            return current, current.price > draft.price

        return await self._database.write(write)

    async def drop(self, draft_id: str, member_id: int) -> None:
        """Forget a draft on its member's word; raises `ConfirmationGoneError`, or `NotAllowedError` for others."""

        def write(connection: Connection) -> None:
            drafts = ConfirmationRepository(connection)
            _check(drafts.get(draft_id), member_id)
            drafts.take(draft_id)

        await self._database.write(write)


def _check(draft: Confirmation, member_id: int) -> None:
    if draft.member_id != member_id:
        raise NotAllowedError(LazyText("the member who was asked"))


def _same(one: Confirmation, other: Confirmation) -> bool:
    """Return whether two drafts of a member are of the same wish; an address is signed anew each time."""
    return _dedup_key(one) == _dedup_key(other)


def _dedup_key(draft: Confirmation) -> tuple[object, ...]:
    request = draft.request
    pictures = [(each.parent, each.file, urlsplit(each.url or "").path) for each in request.inputs]
    return replace(request, inputs=()), pictures, draft.origin, draft.private
