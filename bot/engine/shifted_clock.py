"""The sandbox's clock: the machine's, moved forward by a file."""

import asyncio
import math
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bot.engine.clock import SystemClock

OFFSET_FILE_VARIABLE: Final = "ATELIER_CLOCK_OFFSET_FILE"
"""The sandbox's environment variable with the file's path.

It counts only with another address than Discord's.
"""

_LOOK_SECONDS: Final = 0.25
"""Seconds after which a wait has noticed that the clock was moved."""


class ShiftedClock(SystemClock):
    """The machine's clock plus the seconds in a file.

    The file is read again whenever it has changed. Time only moves forward: a smaller number or an unreadable file
    changes nothing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: tuple[int, int] | None = None
        self._offset = 0.0

    def now(self) -> datetime:
        """Return the moved time in UTC, with its time zone."""
        return super().now() + timedelta(seconds=self._read())

    def monotonic(self) -> float:
        """Return monotonic seconds; they jump with the time."""
        return super().monotonic() + self._read()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return once the event is set or the seconds have passed, moved or not."""
        if seconds is None:
            await super().wait(event, None)
            return
        end = self.monotonic() + seconds
        while not event.is_set() and (left := end - self.monotonic()) > 0:
            await super().wait(event, min(left, _LOOK_SECONDS))

    def _read(self) -> float:
        try:
            about = os.stat(self._file)  # noqa: PTH116 - called for every reading of the clock
            version = (about.st_mtime_ns, about.st_ino)
            if version != self._version:
                offset = float(self._file.read_text(encoding="ascii"))
                self._version = version
                if math.isfinite(offset):
                    self._offset = max(self._offset, offset)
        except (OSError, ValueError):
            pass
        return self._offset
