"""Guilds admitted by the application's owner."""

from datetime import datetime

from sqlalchemy import Connection, select

from db.dialects import insert
from db.tables import communities


class GuildRepository:
    """Guilds within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_admitted(self, guild_id: int) -> bool:
        """Return whether a guild is admitted."""
        statement = select(communities.c.admitted_at).where(communities.c.id == guild_id)
        return self._connection.execute(statement).scalar() is not None

    def admit(self, guild_id: int, *, by: int, at: datetime) -> None:
        """Admit a guild; admitting it again changes nothing."""
        values = {"id": guild_id, "admitted_at": at, "admitted_by": by}
        self._connection.execute(insert(self._connection, communities).values(values).on_conflict_do_nothing())
