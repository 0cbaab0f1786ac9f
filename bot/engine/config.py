"""The operator's numbers that the engine goes by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Slots, paces and deadlines; all times in seconds.

    `active_per_member`, `active_per_guild` (None: as many as there are) and `active_per_provider` are slots;
    `waiting_per_member` bounds the line; `poll_floor` is the shortest pause between two polls of a job and
    `poll_ceiling` the longest. `unknown_wait` is how long a webhook is waited for when a submit's reply was lost;
    `reconcile_for` how long after the end of such a job, or of a lost one, its provider still knows it.
    """

    active_per_member: int = 3
    active_per_guild: int | None = None
    active_per_provider: int = 64
    waiting_per_member: int = 10
    poll_floor: float = 3.0
    poll_ceiling: float = 10.0
    soft_deadline: float = 300.0
    hard_deadline: float = 7200.0
    unknown_wait: float = 900.0
    reconcile_for: float = 7 * 24 * 3600.0
