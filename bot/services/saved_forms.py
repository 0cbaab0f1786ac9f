"""Forms that were refused: kept for a day, so that nothing is lost that somebody typed."""

from collections.abc import Callable

from bot.domain.errors import FormGoneError
from bot.domain.saved_forms import FORM_LIFE, FilledForm, SavedForm
from bot.engine.clock import Clock
from db.database import Database
from db.saved_forms import SavedFormRepository


class SavedFormService:
    """Keeps what members filled in. Nothing is held for it, and nothing is made of it but by a form."""

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def keep(self, member_id: int, filled: FilledForm) -> str:
        """Keep a form and return the id by which its member finds it again."""
        form = SavedForm(id=self._new_id(), member_id=member_id, filled=filled, created_at=self._clock.now())
        await self._database.write(lambda connection: SavedFormRepository(connection).add(form))
        return form.id

    async def get(self, form_id: str, member_id: int) -> FilledForm:
        """Return a form as it was sent; raises `FormGoneError`, also for others than its member."""
        form = await self._database.read(lambda connection: SavedFormRepository(connection).get(form_id))
        if form.member_id != member_id or form.created_at + FORM_LIFE < self._clock.now():
            raise FormGoneError
        return form.filled
