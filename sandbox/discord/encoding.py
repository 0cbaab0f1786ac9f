"""JSON forms of snowflake ids and timestamps, and aliases for raw objects."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
"""A JSON object as it goes over the wire."""

Clock: TypeAlias = Callable[[], float]
"""Seconds since the Unix epoch."""

DISCORD_EPOCH = 1_420_070_400.0
"""The first second of 2015, from which snowflakes count."""


def stamp(at: float) -> str:
    """Return a Unix time as Discord writes it (ISO 8601, UTC)."""
    return datetime.fromtimestamp(at, UTC).isoformat()


class Snowflakes:
    """Makes increasing, unique ids with their time in the upper bits."""

    def __init__(self, now: Clock) -> None:
        self._now = now
        self._last = 0

    def next(self) -> str:
        """Return a new id in the API's form, a decimal string."""
        candidate = int((self._now() - DISCORD_EPOCH) * 1000) << 22
        self._last = max(candidate, self._last + 1)
        return str(self._last)
