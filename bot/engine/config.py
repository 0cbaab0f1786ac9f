"""The operator's limits and deadlines for the engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Slots, intervals and deadlines; all times in seconds.

    `active_per_member`, `active_per_guild` (None: unlimited) and `active_per_provider` are slots;
    `waiting_per_member` limits the queue. `poll_floor` is the shortest pause between two polls of a job,
    `poll_ceiling` the longest. `unknown_wait` is how long a lost reply waits for a webhook; `reconcile_for` is
    how long after such a job, or a lost one, its provider is asked for late images. `member_megabytes` limits the
    stored images of a member (None: unlimited). `stop_wait` is how long a stop waits for calls whose answer has the
    images.
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
    stop_wait: float = 300.0
    member_megabytes: int | None = None
