"""Rejected modal input, stored for a day so that it can be edited."""

from collections.abc import Callable

from bot.domain.errors import FormGoneError
from bot.domain.saved_forms import FORM_LIFE, FilledForm, SavedForm
from bot.engine.clock import Clock
from bot.services.member_limits import MAX_STORED, FreeAction, MemberLimits
from db.database import Database
from db.saved_forms import SavedFormRepository


class SavedFormService:
    """Store of rejected modal input.

    No credits are held. Nothing is created from stored input unless its member submits it again.
    """

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str], limits: MemberLimits) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._limits = limits

    async def keep(self, member_id: int, filled: FilledForm) -> str:
        """Store a form and return its id.

        Raises:
            TooManyRequestsError: the member stored very many within a minute.
        """
        self._limits.count(FreeAction.FORM, member_id)
        form = SavedForm(id=self._new_id(), member_id=member_id, filled=filled, created_at=self._clock.now())
        await self._database.write(lambda connection: SavedFormRepository(connection).add(form, most=MAX_STORED))
        return form.id

    async def get(self, form_id: str, member_id: int) -> FilledForm:
        """Return a form as it was submitted.

        Raises:
            FormGoneError: it has expired or is another member's.
        """
        form = await self._database.read(lambda connection: SavedFormRepository(connection).get(form_id))
        if form.member_id != member_id or form.created_at + FORM_LIFE < self._clock.now():
            raise FormGoneError
        return form.filled
