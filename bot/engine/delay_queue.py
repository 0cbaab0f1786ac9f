"""One heap of due times for all jobs, instead of a task for each."""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable

import structlog

from bot.engine.clock import Clock

_log = structlog.get_logger(__name__)


class DelayQueue:
    """Calls `handle(key)` once the key is due.

    A key has at most one due time and one running call. A key set during its call runs again afterwards.

    At most `concurrency` calls run; other due keys wait in the heap, in order. A task for each would weigh ten
    times as much, and after a start thousands are due at once.

    A call that raises is logged: a handler that wants another try sets its key again itself.
    """

    def __init__(self, clock: Clock, handle: Callable[[str], Awaitable[None]], *, concurrency: int) -> None:
        self._clock = clock
        self._handle = handle
        self._concurrency = concurrency
        self._heap: list[tuple[float, int, str]] = []
        self._due: dict[str, tuple[float, int]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._numbers = itertools.count()

    def __len__(self) -> int:
        """Return how many keys wait or run."""
        return len(self._due.keys() | self._running.keys())

    def __contains__(self, key: str) -> bool:
        """Return whether a key waits or runs."""
        return key in self._due or key in self._running

    def set(self, key: str, delay: float = 0.0) -> None:
        """Make `key` due in `delay` seconds, unless it is due sooner.

        A delay never postpones a key, so that a request for "now" is kept.
        """
        due = self._clock.monotonic() + delay
        if key in self._due and self._due[key][0] <= due:
            return
        number = next(self._numbers)
        self._due[key] = (due, number)
        heapq.heappush(self._heap, (due, number, key))
        self._changed.set()

    async def run(self) -> None:
        """Call the handler as keys become due, until cancelled.

        Running calls are left to `drain`.
        """
        while True:
            delay = self._start_due()
            self._changed.clear()
            await self._clock.wait(self._changed, delay)

    async def drain(self, seconds: float) -> None:
        """Wait for the running calls; cancel them after `seconds`."""
        running = list(self._running.values())
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _start_due(self) -> float | None:
        now = self._clock.monotonic()
        while self._heap:
            due, number, key = self._heap[0]
            if self._due.get(key) != (due, number):
                heapq.heappop(self._heap)  # replaced by a later `set`
                continue
            if due > now:
                return due - now
            if len(self._running) >= self._concurrency:
                return None  # `_finished` starts the next one
            heapq.heappop(self._heap)
            if key in self._running:
                continue  # stays in `_due`; `_finished` sets it again
            del self._due[key]
            task = asyncio.create_task(self._call(key))
            self._running[key] = task
            task.add_done_callback(lambda _, key=key: self._finished(key))  # type: ignore[misc]
        return None

    async def _call(self, key: str) -> None:
        try:
            await self._handle(key)
        except Exception:  # noqa: BLE001 - one job must not stop the others
            _log.exception("schedule.call_failed", key=key)

    def _finished(self, key: str) -> None:
        if len(self._running) >= self._concurrency:
            self._changed.set()  # a due key may have waited for this place
        del self._running[key]
        waiting = self._due.pop(key, None)
        if waiting is not None:
            self.set(key, max(0.0, waiting[0] - self._clock.monotonic()))
