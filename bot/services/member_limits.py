"""Limits per member and minute for actions that cost no credits."""

from collections import deque
from datetime import timedelta
from enum import StrEnum
from typing import Final

from bot.domain.errors import TooManyRequestsError
from bot.engine.clock import Clock

WINDOW: Final = timedelta(minutes=1)
MAX_STORED: Final = 50
"""Confirmations, forms or searches stored for one member; more replace the oldest."""

# Windows are dropped when their members are quiet, once there are so many.
_MANY_WINDOWS: Final = 10_000


class FreeAction(StrEnum):
    """A kind of action that writes or searches for free.

    Those of a channel and of a server are counted for all members together, by its id.
    """

    CHANNEL_MENTION = "channel_mention"
    COMPARISON = "comparison"
    CONFIRMATION = "confirmation"
    EXPORT = "export"
    FORM = "form"
    KEY_CHECK = "key_check"
    LOOKUP = "lookup"
    MENTION = "mention"
    PREFERENCE = "preference"
    PRESET = "preset"
    SEARCH = "search"
    SERVER_MENTION = "server_mention"
    STATISTICS = "statistics"


MOST_PER_WINDOW: Final = {
    FreeAction.CHANNEL_MENTION: 30,  # Discord takes 60 messages a minute in a channel, and cards are among them
    FreeAction.COMPARISON: 20,
    FreeAction.CONFIRMATION: 20,
    FreeAction.EXPORT: 6,
    FreeAction.FORM: 20,
    FreeAction.KEY_CHECK: 6,  # of a server; nobody should try many keys from this address
    FreeAction.LOOKUP: 6,
    FreeAction.MENTION: 10,
    FreeAction.PREFERENCE: 30,
    FreeAction.PRESET: 60,
    FreeAction.SEARCH: 30,
    FreeAction.SERVER_MENTION: 300,  # of the 3,000 requests a minute that all servers share
    FreeAction.STATISTICS: 6,  # of a server; each takes seconds of processor time
}


class MemberLimits:
    """Sliding windows in memory, one for each member and kind of action.

    Each process counts separately: the limits protect a process and its database, they are no quotas.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[FreeAction, int], deque[float]] = {}

    def count(self, action: FreeAction, member_id: int) -> None:
        """Count an action of a member.

        Raises:
            TooManyRequestsError: the member reached the limit; the action is not counted.
        """
        now = self._clock.monotonic()
        begin = now - WINDOW.total_seconds()
        if len(self._windows) > _MANY_WINDOWS:
            self._windows = {key: times for key, times in self._windows.items() if times[-1] > begin}
        times = self._windows.setdefault((action, member_id), deque())
        while times and times[0] <= begin:
            times.popleft()
        if len(times) >= MOST_PER_WINDOW[action]:
            raise TooManyRequestsError(self._clock.now() + timedelta(seconds=times[0] - begin))
        times.append(now)
