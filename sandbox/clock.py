"""The studio's time: the machine's, moved forward by people and tests."""

import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_LONGEST_JUMP: Final = timedelta(days=366)
_LARGEST_OFFSET: Final = timedelta(days=20 * 366)


class StudioClock:
    """A clock for all fakes, and for the bot through a file.

    Called, it returns Unix seconds. The file has the offset from the machine's time in seconds; without `file`, the
    bot keeps the machine's time.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.offset = 0.0

    def __call__(self) -> float:
        """Return Unix seconds."""
        return time.time() + self.offset

    def monotonic(self) -> float:
        """Return monotonic seconds; they jump with the time."""
        return time.monotonic() + self.offset

    def now(self) -> datetime:
        """Return the time in UTC, with its time zone."""
        return datetime.fromtimestamp(self(), UTC)

    def environment(self) -> dict[str, str]:
        """Return the bot's setting to share this time."""
        return {} if self._file is None else {"ATELIER_CLOCK_OFFSET_FILE": str(self._file)}

    def advance(self, *, seconds: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the time forward.

        Raises:
            ValueError: The jump is backward, or longer than a year.
        """
        total = seconds + 3600 * hours + 86400 * days
        if not math.isfinite(total) or total < 0:
            raise ValueError("Time only moves forward.")
        if total > _LONGEST_JUMP.total_seconds():
            raise ValueError("Time moves by a year at most.")
        if self.offset + total > _LARGEST_OFFSET.total_seconds():
            raise ValueError("The time is twenty years ahead: restart the sandbox.")
        self.offset += total
        if self._file is not None:
            fresh = self._file.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text(repr(self.offset), encoding="ascii")
            fresh.replace(self._file)  # the bot never reads half a number

    def advance_to(self, at: datetime) -> None:
        """Move the time forward to an aware time.

        Raises:
            ValueError: `at` has passed, or is more than a year ahead.
        """
        self.advance(seconds=at.timestamp() - self())
