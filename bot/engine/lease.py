"""Leases: ownership of jobs by workers, and its end.

The fence on each job makes the lease safe (Kleppmann, "How to do distributed locking"): a worker that wakes
up late finds every write rejected. The lease only decides when others may begin.

No wall clock is trusted for that: each worker watches by its own monotonic clock whether the rows of the
others change. A clock that is set, or that differs between machines, neither ends nor extends a lease.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from bot.engine.clock import Clock

_CLOCKS_APART: Final = timedelta(minutes=5)


class Lease:
    """The lease of one worker.

    It ends `seconds` after the start of the last renewal. A worker that `is_alone` (a file lock proves it) owns
    every job, and its lease never ends.
    """

    def __init__(self, *, worker_id: str, seconds: float, is_alone: bool, clock: Clock) -> None:
        self.worker_id = worker_id
        self.is_alone = is_alone
        self.duration = timedelta(seconds=seconds)
        self._clock = clock
        self._ends = float("-inf")
        self.term = 0
        """Grows whenever the lease restarts after its end: data read in an earlier term may be stale."""
        self._seen: dict[str, tuple[datetime, float]] | None = None

    @property
    def is_held(self) -> bool:
        """True if no other worker can have taken over this worker's jobs.

        Money may be spent only then.
        """
        return self.is_alone or self._clock.monotonic() < self._ends

    @property
    def renewal_interval(self) -> float:
        """Seconds between two renewals: two may fail before the lease ends."""
        return self.duration.total_seconds() / 3

    def find_expired(self, others: Mapping[str, datetime], began: float, now: datetime) -> dict[str, datetime]:
        """Return workers with an expired lease.

        `others` maps a worker id to its last recorded expiry; `began` is the monotonic time. The first call can
        only compare with the wall clock, which may be minutes off, so it reports workers only long after their
        expiry.
        """
        if self._seen is None:
            return {worker: ends for worker, ends in others.items() if ends < now - _CLOCKS_APART}
        return {
            worker: ends
            for worker, (ends, since) in self._seen.items()
            if others.get(worker) == ends and began - since >= self.duration.total_seconds()
        }

    def record_renewal(self, began: float, others: Mapping[str, datetime]) -> None:
        """Record a committed renewal and the expiries of the other workers.

        `began` is the monotonic time at its start.
        """
        now = self._clock.monotonic()
        if now >= self._ends:
            self.term += 1
        self._ends = began + self.duration.total_seconds()
        earlier = self._seen or {}
        # Counted from now: the rows may have been written, and their leases begun, after `began`.
        self._seen = {
            worker: earlier[worker] if worker in earlier and earlier[worker][0] == ends else (ends, now)
            for worker, ends in others.items()
        }
