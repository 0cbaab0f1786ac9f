"""Challenges: a theme, entries until a deadline, a vote, winners."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from bot.domain.lazy_text import LazyText

MAX_THEME: Final = 100
"""Characters of a theme."""
MAX_ENTRIES: Final = 50
"""Entries of a challenge."""
ENTRIES_A_PAGE: Final = 10
"""Entries of a message: a gallery on Discord holds no more."""
VOTES_A_MEMBER: Final = 3
"""Entries for which a member may vote."""
PLACES: Final = 3
"""Places with winners."""
MAX_OPEN: Final = 3
"""Challenges of a server at a time."""
SHORTEST: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=30)
TOO_LATE: Final = LazyText("Its challenge went on before a moderator approved it.")
"""The reason for the end of an entry after too long a wait."""
CANCELLED: Final = LazyText("Its challenge was cancelled.")
"""The reason for the end of a cancelled challenge's entries."""


class ChallengeState(StrEnum):
    """A challenge's state; the last two are final."""

    OPEN = "open"  # takes entries
    VOTING = "voting"
    ENDED = "ended"
    CANCELLED = "cancelled"


TRANSITIONS: Final[dict[ChallengeState, frozenset[ChallengeState]]] = {
    ChallengeState.OPEN: frozenset({ChallengeState.VOTING, ChallengeState.ENDED, ChallengeState.CANCELLED}),
    ChallengeState.VOTING: frozenset({ChallengeState.ENDED, ChallengeState.CANCELLED}),
    ChallengeState.ENDED: frozenset(),
    ChallengeState.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A challenge of a server, in one of its channels.

    `closes_at` ends the entries, `ends_at` the vote. `prize` are credits for the first place, divided if several share
    it. `is_age_restricted`: the channel was age-restricted when the challenge began. `paid` is what the winners got.
    """

    id: str
    guild_id: int
    channel_id: int
    theme: str
    created_by: int
    created_at: datetime
    state: ChallengeState
    closes_at: datetime
    ends_at: datetime
    prize: int = 0
    is_age_restricted: bool = False
    paid: int | None = None

    @property
    def due_at(self) -> datetime | None:
        """The time of the next transition; None once it has ended."""
        match self.state:
            case ChallengeState.OPEN:
                return self.closes_at
            case ChallengeState.VOTING:
                return self.ends_at
            case _:
                return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An approved entry. `number` counts from 1, in an order by chance."""

    number: int
    submission_id: str
    member_id: int
    votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """An entry with its place, from 1; entries with equal votes share a place."""

    place: int
    entry: Entry


def placings(entries: Sequence[Entry]) -> tuple[Placing, ...]:
    """Return the winning entries, best first.

    An entry without a vote wins nothing.
    """
    ranked = sorted((each for each in entries if each.votes), key=lambda each: (-each.votes, each.number))
    places = (1 + sum(other.votes > each.votes for other in ranked) for each in ranked)
    return tuple(
        Placing(place=place, entry=each) for place, each in zip(places, ranked, strict=True) if place <= PLACES
    )


def prize_shares(prize: int, winners: Sequence[Placing]) -> dict[int, int]:
    """Return the credits of each member in the first place.

    The prize is divided evenly and rounded down.
    """
    members = sorted({each.entry.member_id for each in winners if each.place == 1})
    share = prize // len(members) if members else 0
    return dict.fromkeys(members, share) if share else {}
