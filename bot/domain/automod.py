"""Rules of a guild's AutoMod about words, as Discord has them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoModRule:
    """An enabled rule against messages with words or patterns.

    In `keywords` and in `allowed`, `*` at the start or the end of a text means that a longer word matches, too.
    """

    id: int
    name: str
    keywords: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    exempt_roles: tuple[int, ...] = ()
    exempt_channels: tuple[int, ...] = ()

    def exempts(self, roles: Collection[int], channels: Collection[int]) -> bool:
        """Return whether members with a role, or in a channel, are exempt."""
        return not (set(self.exempt_roles).isdisjoint(roles) and set(self.exempt_channels).isdisjoint(channels))


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoModState:
    """A guild's setting for AutoMod's rules, and their last reading.

    `lost_at` is the time since when the bot may not read the rules: none applies then. None while it may.
    """

    is_on: bool = False
    read_at: datetime | None = None
    lost_at: datetime | None = None
