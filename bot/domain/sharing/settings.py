"""A server's rules for sharing."""

from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Final


class ReviewMode(StrEnum):
    """The extent of the review."""

    ALL = "all"
    UNTRUSTED = "untrusted"
    """All but those of trusted roles."""
    NONE = "none"


class VoteKind(StrEnum):
    """The way of voting on showcase posts."""

    BUTTONS = "buttons"
    REACTIONS = "reactions"
    OFF = "off"


DEFAULT_REASONS: Final = ("Off topic", "Low quality", "Against the server's rules", "Shows a real person")
MAX_REASONS: Final = 20
"""Reasons of a server: a menu on Discord holds 25 entries."""
LONGEST_REASON: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingSettings:
    """A server's settings for sharing.

    `trusted_roles` share without review in the mode UNTRUSTED. `refusal_reasons` are the moderators' menu.
    `report_threshold` different members' reports hide a post; 0 is never. `reminder_hours` after which the moderators
    are reminded of the oldest submission; 0 is never. `voter_roles` may vote; everybody if empty.
    """

    review: ReviewMode = ReviewMode.ALL
    trusted_roles: tuple[int, ...] = ()
    allows_anonymous: bool = False
    refusal_reasons: tuple[str, ...] = DEFAULT_REASONS
    report_threshold: int = 3
    reminder_hours: int = 24
    votes: VoteKind = VoteKind.BUTTONS
    voter_roles: tuple[int, ...] = ()

    def needs_review(self, roles: tuple[int, ...], *, is_moderator: bool) -> bool:
        """Return whether a member's submission waits for a moderator."""
        match self.review:
            case ReviewMode.NONE:
                return False
            case ReviewMode.ALL:
                return True
            case ReviewMode.UNTRUSTED:
                return not is_moderator and not any(each in self.trusted_roles for each in roles)


DEFAULT_SHARING: Final = SharingSettings()
"""Those of a server that has set nothing."""
SHARING_SETTINGS: Final = tuple(each.name for each in fields(SharingSettings))
"""The names of all settings."""
CLAIM_LASTS: Final = timedelta(minutes=10)
"""A moderator's claim of a submission."""
