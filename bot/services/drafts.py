"""Asking before spending: a request is kept until its member says yes or no, for a day at most."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import Connection

from bot.domain.credits import period_end
from bot.domain.drafts import DRAFT_LIFE, Draft
from bot.domain.errors import AlreadyAskedError, DraftGoneError, InsufficientCreditsError, NotAllowedError
from bot.domain.jobs import Origin, Place
from bot.domain.phrases import Phrase
from bot.domain.requests import GenerationRequest, price, require_offer
from bot.engine.books import Books
from bot.engine.clock import Clock
from bot.services.access import AccessService
from bot.services.generation import PRESSED_TWICE
from db.accounts import AccountRepository
from db.database import Database
from db.drafts import DraftRepository


class DraftService:
    """Keeps requests that wait for a word. Nothing is held for them; `providers` are those that the studio has."""

    def __init__(
        self,
        *,
        database: Database,
        books: Books,
        access: AccessService,
        clock: Clock,
        providers: tuple[str, ...],
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._books = books
        self._access = access
        self._clock = clock
        self._providers = providers
        self._new_id = new_id

    async def keep(self, place: Place, request: GenerationRequest, origin: Origin | None = None) -> Draft:
        """Keep a request that can be done and paid as things are, and return what to ask about.

        Raises `NotInServerError`, `NotAdmittedError`, `UnsupportedOptionError`, `StudioClosedError` or
        `InsufficientCreditsError`: who would be refused anyway is not asked first; or `AlreadyAskedError`, who was
        asked about the same a moment ago.
        """
        now = self._clock.now()
        draft = Draft(
            id=self._new_id(),
            community_id=place.community_id,
            member_id=place.member_id,
            request=request,
            price=price(request),
            private=place.private,
            created_at=now,
            origin=origin,
        )

        def write(connection: Connection) -> None:
            self._access.check(connection, place.community_id)
            require_offer(request, self._providers)
            available = self._books.available(connection, place.community_id, place.member_id, now).available
            if available < draft.price:
                raise InsufficientCreditsError(needed=draft.price, available=available, renews_at=period_end(now))
            drafts = DraftRepository(connection)
            # Locked, so that a press at the same moment is seen here, whichever process it came to.
            AccountRepository(connection).lock(place.community_id, place.member_id)
            lately = drafts.list_since(place.community_id, place.member_id, now - PRESSED_TWICE)
            if any(_same(each, draft) for each in lately):
                raise AlreadyAskedError
            drafts.add(draft)

        await self._database.write(write)
        return draft

    async def get(self, draft_id: str, member_id: int) -> tuple[Draft, bool]:
        """Return a draft at its price as of now, and whether it was asked about at a lower one.

        Raises `DraftGoneError`, or `NotAllowedError` for others than its member.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Draft, bool]:
            drafts = DraftRepository(connection)
            draft = drafts.get(draft_id)
            _check(draft, member_id)
            if draft.created_at + DRAFT_LIFE < now:
                raise DraftGoneError(expired=True)
            current = replace(draft, price=price(draft.request))
            if current.price != draft.price:
                drafts.set_price(draft_id, current.price)
            return current, current.price > draft.price

        return await self._database.write(write)

    async def drop(self, draft_id: str, member_id: int) -> None:
        """Forget a draft on its member's word; raises `DraftGoneError`, or `NotAllowedError` for others."""

        def write(connection: Connection) -> None:
            drafts = DraftRepository(connection)
            _check(drafts.get(draft_id), member_id)
            drafts.take(draft_id)

        await self._database.write(write)


def _check(draft: Draft, member_id: int) -> None:
    if draft.member_id != member_id:
        raise NotAllowedError(Phrase("the member who was asked"))


def _same(one: Draft, other: Draft) -> bool:
    """Return whether two drafts of a member are of the same wish; an address is signed anew each time."""
    return _wish(one) == _wish(other)


def _wish(draft: Draft) -> tuple[object, ...]:
    request = draft.request
    pictures = [(each.parent, each.file, urlsplit(each.url or "").path) for each in request.inputs]
    return replace(request, inputs=()), pictures, draft.origin, draft.private
