"""Time zones by name, such as `Europe/Berlin`."""

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bot.domain.errors import UnknownTimeZoneError

UTC_NAME: Final = "UTC"
# Files of the time zone database that are no zones: the machine's own, its rules, a placeholder.
_NO_ZONES: Final = {"localtime", "posixrules", "Factory"}


@lru_cache(maxsize=1024)
def zone_of(name: str | None) -> ZoneInfo:
    """Return the zone of a name; UTC if there is none, or if it has gone."""
    try:
        return ZoneInfo(name or UTC_NAME)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(UTC_NAME)


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return the names of all zones, sorted."""
    return tuple(sorted(available_timezones() - _NO_ZONES))


MOST_SUGGESTIONS: Final = 5
_OFFSET: Final = re.compile(r"(?:utc|gmt)?\s*([+-])\s*(\d{1,2})(?::?(00))?", re.IGNORECASE)
_FIXED: Final = re.compile(r"Etc/GMT([+-])(\d+)")
_EAST_HOURS: Final = 14
_WEST_HOURS: Final = 12
_SHORTEST_PART: Final = 3
# The regions of cities. Others are former names and fixed offsets.
_REGIONS: Final = tuple(
    f"{each}/"
    for each in (
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    )
)


def read_zone(typed: str) -> str:
    """Return the name of the time zone that a person typed.

    That is a name such as `Europe/Berlin`, a city such as `new york`, or whole hours such as `UTC+1`.

    Raises:
        UnknownTimeZoneError: no zone is meant, or several may be; with suggestions.
    """
    wanted = " ".join(typed.replace("_", " ").split()).casefold()
    if wanted in ("utc", "gmt", "z", "utc+0", "utc-0"):
        return UTC_NAME
    if offset := _OFFSET.fullmatch(wanted):
        hours = int(offset[2]) * (1 if offset[1] == "+" else -1)
        if -_WEST_HOURS <= hours <= _EAST_HOURS:
            # The signs of these names are the other way round.
            return f"Etc/GMT{-hours:+}" if hours else UTC_NAME
        raise UnknownTimeZoneError(typed, ())
    names = {name: _plain(name) for name in zone_names()}
    for name, plain in names.items():
        if plain == wanted:
            return name
    cities = {name: plain.rpartition("/")[2] for name, plain in names.items() if name.startswith(_REGIONS)}
    exact = [name for name, city in cities.items() if city == wanted]
    if len(exact) == 1:
        return exact[0]
    part = [name for name in cities if len(wanted) >= _SHORTEST_PART and wanted in names[name]]
    found = exact or part
    if len(found) == 1:
        return found[0]
    if not found:
        close = get_close_matches(wanted, [*cities.values(), *names.values()], MOST_SUGGESTIONS)
        found = [name for name in cities if cities[name] in close or names[name] in close]
    raise UnknownTimeZoneError(typed, tuple(found[:MOST_SUGGESTIONS]))


def zone_title(name: str | None) -> str:
    """Return a zone's name for people: fixed hours as `UTC+1`."""
    fixed = _FIXED.fullmatch(name or UTC_NAME)
    if fixed is None:
        return name or UTC_NAME
    return f"UTC{'+' if fixed[1] == '-' else '-'}{fixed[2]}"


def _plain(name: str) -> str:
    return name.replace("_", " ").casefold()
