"""A worker's lease on its jobs: renewed while it lives, taken by others once it is silent for too long.

The fence on each job makes the lease safe (Kleppmann, "How to do distributed locking"): a worker that wakes up late
finds every write of its refused. The lease only decides when others may begin.

Nobody's wall clock is trusted with that: each worker watches whether the others' rows change, by its own monotonic
clock. So a clock that is set, or is not the same on two machines, neither ends a lease nor makes it last.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from bot.engine.clock import Clock

_CLOCKS_APART: Final = timedelta(minutes=5)


class Lease:
    """The lease of the worker `worker_id`; it ends `seconds` after the last renewal began.

    A worker that `is_alone` (a file lock proves it) owns every job, and its lease never ends.
    """

    def __init__(self, *, worker_id: str, seconds: float, is_alone: bool, clock: Clock) -> None:
        self.worker_id = worker_id
        self.is_alone = is_alone
        self.duration = timedelta(seconds=seconds)
        self._clock = clock
        self._ends = float("-inf")
        self.term = 0
        """Grows whenever the lease begins anew after it had ended: what was read in an earlier term may be old."""
        self._seen: dict[str, tuple[datetime, float]] | None = None

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have begun with this worker's jobs: only then may money be spent."""
        return self.is_alone or self._clock.monotonic() < self._ends

    @property
    def renewal_interval(self) -> float:
        """The seconds between two renewals: two may fail before the lease ends."""
        return self.duration.total_seconds() / 3

    def find_expired(self, others: Mapping[str, datetime], began: float, now: datetime) -> dict[str, datetime]:
        """Return those of the others whose lease has ended; `others` has what each has last written as its end.

        A first look has nothing to compare with but the wall clock, which may be minutes off: only a process that
        starts long after another's death need not wait.
        """
        if self._seen is None:
            return {worker: ends for worker, ends in others.items() if ends < now - _CLOCKS_APART}
        return {
            worker: ends
            for worker, (ends, since) in self._seen.items()
            if others.get(worker) == ends and began - since >= self.duration.total_seconds()
        }

    def record_renewal(self, began: float, others: Mapping[str, datetime]) -> None:
        """Hear that the renewal that began at `began` (monotonic seconds) is written down, and who else was there."""
        now = self._clock.monotonic()
        if now >= self._ends:
            self.term += 1
        self._ends = began + self.duration.total_seconds()
        earlier = self._seen or {}
        # Counted from now: what was read may have been written, and that lease begun, after `began`.
        self._seen = {
            worker: earlier[worker] if worker in earlier and earlier[worker][0] == ends else (ends, now)
            for worker, ends in others.items()
        }
