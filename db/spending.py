"""Credits spent by guilds, by the time of their jobs."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from db.tables import holds, jobs

_OF_GUILD: Final = jobs.c.guild_id == bindparam("the_guild")
_SPENT: Final = (
    select(func.coalesce(func.sum(func.coalesce(jobs.c.charged, holds.c.allowance + holds.c.granted)), 0))
    .select_from(jobs.join(holds, holds.c.job_id == jobs.c.id))
    .where(_OF_GUILD, jobs.c.created_at >= bindparam("begin"), jobs.c.created_at < bindparam("end"))
)
_FIRST: Final = select(func.min(jobs.c.created_at)).where(_OF_GUILD)


class SpendingRepository:
    """A guild's spending within one transaction."""

    def __init__(self, connection: Connection, guild_id: int) -> None:
        self._connection = connection
        self._guild_id = guild_id

    def by_day(self, days: Sequence[date]) -> dict[date, int]:
        """Return the credits of each of these UTC days: charged, or still held."""
        spent = {}
        for day in days:
            begin = datetime.combine(day, time.min, tzinfo=UTC)
            period = {"the_guild": self._guild_id, "begin": begin, "end": begin + timedelta(days=1)}
            spent[day] = int(self._connection.execute(_SPENT, period).scalar_one())
        return spent

    def first_at(self) -> datetime | None:
        """Return the time of the guild's first job."""
        return self._connection.execute(_FIRST, {"the_guild": self._guild_id}).scalar()
