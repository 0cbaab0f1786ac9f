"""A worker's lease on its jobs: renewed while it lives, taken by others once it is silent for too long.

The fence on each job makes the lease safe (Kleppmann, "How to do distributed locking"): a worker that wakes up late
finds every write of its refused. The lease only decides when others may begin.
"""

from datetime import timedelta

from bot.engine.clock import Clock


class Lease:
    """The lease of the worker `worker_id`; it ends `seconds` after the last renewal began.

    A worker that is `alone` (a file lock proves it) owns every job, and its lease never ends.
    """

    def __init__(self, *, worker_id: str, seconds: float, alone: bool, clock: Clock) -> None:
        self.worker_id = worker_id
        self.alone = alone
        self.length = timedelta(seconds=seconds)
        self._clock = clock
        self._ends = float("-inf")

    @property
    def held(self) -> bool:
        """Whether nobody else can have begun with this worker's jobs: only then may money be spent."""
        return self.alone or self._clock.monotonic() < self._ends

    @property
    def pause(self) -> float:
        """The seconds between two renewals: two may fail before the lease ends."""
        return self.length.total_seconds() / 3

    def renewed(self, began: float) -> None:
        """Hear that the renewal that began at `began` (monotonic seconds) is written down."""
        self._ends = began + self.length.total_seconds()
