"""Bans of members from the studio, or from sharing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BanScope(StrEnum):
    """The forbidden part of the studio."""

    STUDIO = "studio"
    """New pictures; sharing too."""
    SHARING = "sharing"
    """Sharing and publishing pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """A member's ban in a guild; guild 0 is every guild.

    It ends at `until`; None is for good. `actor_id` is the moderator.
    """

    guild_id: int
    member_id: int
    scope: BanScope
    at: datetime
    actor_id: int
    until: datetime | None = None
    reason: str = ""
