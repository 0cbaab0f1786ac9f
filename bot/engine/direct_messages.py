"""The distance between direct messages, across processes."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from db.cards import CardRepository
from db.outbox import OutboxRepository

MOST_DIRECT_PER_HOUR: Final = 30
DIRECT_PAUSE: Final = timedelta(seconds=5)


def next_direct_message(connection: Connection, now: datetime, *, spared: int = 0) -> datetime | None:
    """Return the time of the next direct message.

    None if an hour's are used up, but for the `spared` ones. The caller holds the lock `PLANNING_DIRECT_MESSAGES`:
    otherwise two processes would count the same messages and both add one.
    """
    since = now - timedelta(hours=1)
    number, last = CardRepository(connection).direct_messages_since(since)
    notices, last_notice = OutboxRepository(connection).direct_messages_since(since)
    if number + notices >= MOST_DIRECT_PER_HOUR - spared:
        return None
    return max([now, *(each + DIRECT_PAUSE for each in (last, last_notice) if each is not None)])


def wait_until(planned: datetime, now: datetime) -> float:
    """Return the seconds until a planned message.

    A clock that was set back makes no message wait long.
    """
    return max(0.0, min(planned - now, DIRECT_PAUSE * MOST_DIRECT_PER_HOUR).total_seconds())
