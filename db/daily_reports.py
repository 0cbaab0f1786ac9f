"""The latest daily report to the owners: sent, or its next try."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from db.key_value import KeyValueRepository
from db.locks import BEGINNING_DAILY_REPORTS, advisory_lock

_KEY: Final = "daily report"
_SENT: Final = "sent"
# The first repetition comes while Discord still recognizes the nonce of a message that may have been sent.
_FIRST_PAUSE: Final = timedelta(minutes=2)
_LONGEST_PAUSE: Final = timedelta(hours=1)


class DailyReportRepository:
    """The latest daily report within one transaction.

    The stored value is its day, then `sent`, or the number of tries and the time of the next one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._values = KeyValueRepository(connection)

    def is_due(self, now: datetime) -> bool:
        """Return whether `begin` would change anything."""
        stored = self._values.find(_KEY)
        return stored is None or _tries_before(stored, now) is not None

    def begin(self, now: datetime) -> bool:
        """Begin a try of today's report; return False if none is due.

        No other process begins one before the next try is due. The first day only begins the series: there is nothing
        to report about the day before.
        """
        advisory_lock(self._connection, BEGINNING_DAILY_REPORTS)
        stored = self._values.find(_KEY)
        if stored is None:
            self.record_sent(now)
            return False
        tries = _tries_before(stored, now)
        if tries is None:
            return False
        pause = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE)
        self._values.save(_KEY, f"{now.date()} {tries + 1} {(now + pause).isoformat()}")
        return True

    def record_sent(self, now: datetime) -> None:
        """Record that the report of the day needs no further try."""
        self._values.save(_KEY, f"{now.date()} {_SENT}")


def _tries_before(stored: str, now: datetime) -> int | None:
    """Return the number of today's tries; None if no try is due."""
    day, *rest = stored.split(" ")
    today = now.date().isoformat()
    if day != today:
        return 0 if day < today else None
    if rest == [_SENT]:
        return None
    tries, next_at = rest
    return int(tries) if datetime.fromisoformat(next_at) <= now else None
