"""The operator's numbers that the engine goes by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Slots, paces and deadlines; all times in seconds.

    `active_per_member` and `active_per_provider` are slots; `waiting_per_member` bounds the line; `poll_floor` is the
    shortest pause between two polls of a job and `poll_ceiling` the longest.
    """

    active_per_member: int = 3
    active_per_provider: int = 64
    waiting_per_member: int = 10
    poll_floor: float = 3.0
    poll_ceiling: float = 10.0
    soft_deadline: float = 300.0
    hard_deadline: float = 7200.0
