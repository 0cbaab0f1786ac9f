"""Duels: one prompt on several models, a blind vote, and a ranking."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import combinations
from typing import Final

MIN_MODELS: Final = 2
MAX_MODELS: Final = 4
LETTERS: Final = "ABCD"
"""The labels of a duel's pictures, by position."""
DEFAULT_HOURS: Final = 24
MAX_HOURS: Final = 168
MIN_PICTURES: Final = 2
"""Pictures without which there is nothing to vote on."""
MIN_VOTES: Final = 3
"""Votes from which a duel counts for the ranking."""
MIN_DUELS: Final = 3
"""Counting duels from which a model has a rank."""
OPENS_WITHIN: Final = timedelta(days=1)
"""Age at which a duel without a vote is ended: its jobs have ended long before."""

_Z: Final = 1.96  # 95 % of a normal distribution


class Phase(Enum):
    """The phase of a duel."""

    RUNNING = auto()  # its pictures are being made
    VOTING = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelEntry:
    """A model's part in a duel.

    The position was drawn at random. `votes` is None until the end, and without a picture.
    """

    position: int
    job_id: str
    model: str
    votes: int | None = None

    @property
    def letter(self) -> str:
        """The label of its picture."""
        return LETTERS[self.position]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """A duel as the database stores it.

    `member_id` is its organizer. The vote is open for `hours` from `opened_at` to `ends_at`; both are None without a
    vote. `shown_at` is the time when its message showed the end, or was out of reach. `counts`: it counts for the
    ranking.
    """

    id: str
    guild_id: int
    member_id: int
    hours: int
    created_at: datetime
    entries: tuple[DuelEntry, ...]
    opened_at: datetime | None = None
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    shown_at: datetime | None = None
    counts: bool = False

    @property
    def phase(self) -> Phase:
        """The phase as stored: a due vote is open until a process has ended it."""
        if self.ended_at is not None:
            return Phase.ENDED
        return Phase.RUNNING if self.opened_at is None else Phase.VOTING

    def is_open(self, now: datetime) -> bool:
        """Return whether votes are taken."""
        return self.phase is Phase.VOTING and self.ends_at is not None and now < self.ends_at

    @property
    def total_votes(self) -> int:
        """The number of votes, 0 until the end."""
        return sum(entry.votes or 0 for entry in self.entries)

    @property
    def winners(self) -> tuple[DuelEntry, ...]:
        """The entries with the most votes: several in a tie, none without a vote."""
        most = max((entry.votes or 0 for entry in self.entries), default=0)
        return tuple(entry for entry in self.entries if most and entry.votes == most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A model's record in the duels of a guild.

    `pairings` counts its comparisons with one other model in one duel. `score` is a point for each with more votes than
    the other, and half a point for each tie. `rating` is the lower bound of its share of points, from 0 to 1. Its
    sample are the duels: the pairings of one duel share a picture and voters.
    """

    model: str
    duels: int
    pairings: int
    score: float
    votes: int
    rating: float

    @property
    def is_ranked(self) -> bool:
        """True if the model has enough duels for a rank."""
        return self.duels >= MIN_DUELS


def rank(duels: Iterable[Sequence[DuelEntry]]) -> tuple[Standing, ...]:
    """Return the standings of the models of counting duels, the best first.

    Models with too few duels come last.
    """
    played: dict[str, int] = defaultdict(int)
    pairings: dict[str, int] = defaultdict(int)
    points: dict[str, float] = defaultdict(float)
    votes: dict[str, int] = defaultdict(int)
    for entries in duels:
        shown = [entry for entry in entries if entry.votes is not None]
        for entry in shown:
            played[entry.model] += 1
            votes[entry.model] += entry.votes or 0
        for one, other in combinations(shown, 2):
            share = _share(one.votes or 0, other.votes or 0)
            for entry, won in ((one, share), (other, 1 - share)):
                pairings[entry.model] += 1
                points[entry.model] += won
    standings = [
        Standing(
            model=model,
            duels=played[model],
            pairings=pairings[model],
            score=points[model],
            votes=votes[model],
            rating=_rating(points[model], pairings[model], played[model]),
        )
        for model in played
    ]
    return tuple(sorted(standings, key=lambda each: (not each.is_ranked, -each.rating, -each.votes, each.model)))


def lower_bound(score: float, count: int) -> float:
    """Return the lower end of Wilson's 95 % interval of a share; 0 of nothing.

    So one win in one duel ranks below eighteen wins in twenty (Wilson, 1927).
    """
    if not count:
        return 0.0
    share, square = score / count, _Z * _Z
    centre = share + square / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, (centre - spread) / (1 + square / count))


def _rating(score: float, pairings: int, duels: int) -> float:
    return lower_bound(score * duels / pairings, duels) if pairings else 0.0


def _share(one: int, other: int) -> float:
    return 0.5 if one == other else float(one > other)
