"""A bounded memory of seen keys."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class RecentKeys:
    """Keys with the time of their latest addition, the latest 10,000."""

    _times: OrderedDict[object, float] = field(default_factory=OrderedDict)

    def add(self, key: object, now: float, *, for_seconds: float | None = None) -> bool:
        """Add a key; return False if it is there, by default for ever."""
        since = self._times.get(key)
        if since is not None and (for_seconds is None or now - since < for_seconds):
            return False
        self._times[key] = now
        self._times.move_to_end(key)
        if len(self._times) > _REMEMBERED:
            self._times.popitem(last=False)
        return True
