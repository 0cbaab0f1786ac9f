"""Fair share: the last slot time of each member and guild."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.jobs import Job
from db.dialects import insert
from db.tables import turns

WHOLE_GUILD: Final = 0
"""The member id under which a whole guild's service time is stored."""


class FairShareRepository:
    """Service times within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record_served(self, jobs: Iterable[Job], at: datetime) -> None:
        """Record a slot for these jobs' members and guilds."""
        keys = {(job.place.guild_id, member) for job in jobs for member in (job.place.member_id, WHOLE_GUILD)}
        if not keys:
            return
        statement = insert(self._connection, turns)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[turns.c.guild_id, turns.c.member_id],
                set_={"served_at": statement.excluded.served_at},
            ),
            [{"guild_id": guild, "member_id": member, "served_at": at} for guild, member in sorted(keys)],
        )
