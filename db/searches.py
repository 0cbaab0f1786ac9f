"""Stored searches of `/history`."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from bot.domain.errors import SearchGoneError
from bot.domain.searches import Search
from db.latest_rows import keep_latest
from db.tables import searches

# Built once: building a statement costs several times as much as running it.
_INSERT: Final = insert(searches)
_GET: Final = select(searches).where(searches.c.id == bindparam("the_id"))
_PURGE: Final = delete(searches).where(searches.c.created_at < bindparam("moment"))


class SearchRepository:
    """Stored searches within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, search: Search, *, most: int) -> None:
        """Insert a search; keep at most `most` of its member."""
        self._connection.execute(
            _INSERT,
            {
                "id": search.id,
                "member_id": search.member_id,
                "query": search.query,
                "created_at": search.created_at,
            },
        )
        keep_latest(self._connection, searches, search.member_id, most)

    def get(self, search_id: str) -> Search:
        """Return a search; raises `SearchGoneError` if there is none."""
        row = self._connection.execute(_GET, {"the_id": search_id}).first()
        if row is None:
            raise SearchGoneError
        return Search(id=row.id, member_id=row.member_id, query=row.query, created_at=row.created_at)

    def purge_before(self, moment: datetime) -> int:
        """Delete older searches; return how many."""
        return self._connection.execute(_PURGE, {"moment": moment}).rowcount
