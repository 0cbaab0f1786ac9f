"""Erasure of members' words in jobs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, select, update

from bot.domain.options import OPTIONS
from bot.domain.requests import ERASED_PROMPT, KEEP_AS_IT_IS
from db.request_codec import PRESET
from db.tables import jobs

_WORDS: Final = frozenset({PRESET, *(name for name, spec in OPTIONS.items() if spec.free_text)})
_WORDED: Final = select(jobs.c.id, jobs.c.prompt, jobs.c.options).where(jobs.c.words_erased_at.is_(None))
_ERASE: Final = update(jobs).where(jobs.c.id == bindparam("the_id"))
# A job that is not delivered has a card to be shown, with its prompt.
_OLD: Final = (
    _WORDED.where(jobs.c.delivered_at.is_not(None), jobs.c.finished_at < bindparam("before"))
    .order_by(jobs.c.finished_at)
    .limit(bindparam("most"))
)
_DELETED: Final = (
    _WORDED.where(jobs.c.deleted_at.is_not(None), jobs.c.deleted_at < bindparam("before"))
    .order_by(jobs.c.deleted_at)
    .limit(bindparam("most"))
)
_THESE: Final = _WORDED.where(jobs.c.id.in_(bindparam("the_ids", expanding=True)))


class PromptRepository:
    """The words of ended jobs within one transaction.

    Words are the prompt, its form for searches, the options that are typed freely, and the name of the preset.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def erase_old(self, before: datetime, at: datetime, limit: int) -> int:
        """Erase the words of up to `limit` jobs finished before then; count them."""
        return self._erase_found(_OLD, {"before": before, "most": limit}, at)

    def erase_deleted(self, before: datetime, at: datetime, limit: int) -> int:
        """Erase the words of up to `limit` jobs deleted before then; count them."""
        return self._erase_found(_DELETED, {"before": before, "most": limit}, at)

    def erase(self, job_ids: Iterable[str], at: datetime) -> None:
        """Erase the words of these jobs."""
        self._erase_found(_THESE, {"the_ids": list(job_ids)}, at)

    def _erase_found(self, statement: Select[Any], parameters: dict[str, Any], at: datetime) -> int:
        rows = self._connection.execute(statement, parameters).all()
        if rows:
            self._connection.execute(_ERASE, [_without_words(row, at) for row in rows])
        return len(rows)


def _without_words(row: Row[Any], at: datetime) -> dict[str, Any]:
    # The bot's own instruction is nobody's words, and says that the job only processed an image.
    prompt = KEEP_AS_IT_IS if row.prompt == KEEP_AS_IT_IS else ERASED_PROMPT
    options = {name: value for name, value in row.options.items() if name not in _WORDS}
    return {"the_id": row.id, "prompt": prompt, "search_text": None, "options": options, "words_erased_at": at}
