"""Sightings of another process with the same token, by Discord's word.

Its database may be on another machine: only its messages can be seen.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from db.key_value import KeyValueRepository
from db.tables import jobs

SIGHTING_VALID_FOR: Final = timedelta(days=1)
"""Time after which a sighting no longer proves that the other process runs."""

_KEY: Final = "another process with this token seen at"


class OtherProcessRepository:
    """The latest sighting within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(self, job_id: str, at: datetime) -> bool:
        """Record the card of an unknown job as a sighting.

        Return True for the first sighting in `SIGHTING_VALID_FOR`. A job of this database proves nothing.
        """
        if self._connection.execute(jobs.select().where(jobs.c.id == job_id)).first() is not None:
            return False
        last = self.last_seen()
        KeyValueRepository(self._connection).save(_KEY, at.astimezone(UTC).isoformat())
        return last is None or at - last >= SIGHTING_VALID_FOR

    def last_seen(self) -> datetime | None:
        """Return the time of the latest sighting, or None."""
        stored = KeyValueRepository(self._connection).find(_KEY)
        return None if stored is None else datetime.fromisoformat(stored)
