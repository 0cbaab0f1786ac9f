"""Searches of `/history`, stored so that paging buttons refer to an id."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

SEARCH_LIFETIME: Final = timedelta(days=30)
"""Life of a stored search. A page is an ephemeral message, so few of its buttons are pressed after a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A member's search.

    `query` is private like a prompt: it never appears in logs.
    """

    id: str
    member_id: int
    query: str = field(repr=False)
    created_at: datetime
