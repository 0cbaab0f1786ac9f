"""Searches of `/history`, stored so that paging buttons refer to an id."""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

SEARCH_LIFETIME: Final = timedelta(days=30)
"""Life of a stored search. A page is an ephemeral message, so few of its buttons are pressed after a day."""


def normalize_text(text: str) -> str:
    """Return a text as searches compare it.

    Without case, compatibility forms and line breaks: `STRASSE` finds `Straße`, and `two words` finds words on two
    lines. Both sides of a comparison are normalized.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A member's search.

    `query` is private like a prompt: it never appears in logs.
    """

    id: str
    member_id: int
    query: str = field(repr=False)
    created_at: datetime
