"""Turns: when each member and each community last got a slot."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.jobs import Job
from db.dialects import insert
from db.tables import turns

THE_COMMUNITY: Final = 0
"""The member whose turn is that of the community as a whole."""


class FairShareRepository:
    """Turns within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def serve(self, jobs: Iterable[Job], at: datetime) -> None:
        """Note that these jobs' members and communities got a slot."""
        whose = {(job.place.guild_id, member) for job in jobs for member in (job.place.member_id, THE_COMMUNITY)}
        if not whose:
            return
        statement = insert(self._connection, turns)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[turns.c.guild_id, turns.c.member_id],
                set_={"served_at": statement.excluded.served_at},
            ),
            [{"guild_id": guild, "member_id": member, "served_at": at} for guild, member in sorted(whose)],
        )
