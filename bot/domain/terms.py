"""Terms as people type them, such as `2h`, `7d` or `2 weeks`."""

import re
from datetime import timedelta
from typing import Final

from bot.domain.errors import OptionRangeError
from bot.domain.lazy_text import LazyText

MAX_TERM: Final = timedelta(days=3650)
_TERM: Final = re.compile(r"\s*(?P<count>[0-9]{1,5})\s*(?P<unit>[a-z]+)\s*", re.IGNORECASE | re.ASCII)
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "minute": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "w": timedelta(weeks=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
_ALLOWED: Final = LazyText("a time such as 30m, 12h, 7d or 2w, up to 10 years")


def parse_term(typed: str) -> timedelta:
    """Return a typed term.

    Raises:
        OptionRangeError: it is no term, or beyond 1 minute to `MAX_TERM`.
    """
    match = _TERM.fullmatch(typed)
    unit = match["unit"].lower() if match else ""
    length = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
    if match is None or length is None or not timedelta() < int(match["count"]) * length <= MAX_TERM:
        raise OptionRangeError("term", typed, _ALLOWED)
    return int(match["count"]) * length
