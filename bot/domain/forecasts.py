"""Forecasts: rounds of earlier jobs before a queued one begins."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A limit of concurrent jobs: `active` of `slots` are taken.

    `rank` is a job's place among those that wait for a slot, from 1.
    """

    slots: int
    active: int
    rank: int

    @property
    def rounds(self) -> int:
        """Full turns of the slots before the job begins; 0 at a free slot."""
        return max(0, -(-(self.active + self.rank - self.slots) // max(1, self.slots)))


def forecast(median: int, *lanes: Lane) -> int | None:
    """Return the seconds until a queued job's end.

    None if it begins at once: its usual time says more then.
    """
    rounds = max((lane.rounds for lane in lanes), default=0)
    return median * (rounds + 1) if rounds else None


def is_decisive(lane: Lane, *others: Lane) -> bool:
    """Return whether a lane is a reason to wait, and no other is longer."""
    return lane.rounds > 0 and lane.rounds >= max((other.rounds for other in others), default=0)
