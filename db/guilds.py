"""Guilds: their admission and their settings."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from bot.domain.guild_settings import GUILD_SETTINGS, NO_SETTINGS, GuildSettings
from db.dialects import insert
from db.tables import communities

_LISTS: Final = ("studio_channels", "moderator_roles")
SETTING_COLUMNS: Final = tuple(communities.c[name] for name in GUILD_SETTINGS)
"""The columns of `settings_of`."""
# Built once: every command and every press reads it.
_SETTINGS: Final = select(*SETTING_COLUMNS).where(communities.c.id == bindparam("the_guild"))
_LOCKED: Final = _SETTINGS.with_for_update()


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
        self.add(guild_id)
        pending = (communities.c.id == guild_id) & communities.c.admitted_at.is_(None)
        self._connection.execute(update(communities).where(pending).values(admitted_at=at, admitted_by=by))

    def end_admission(self, guild_id: int) -> bool:
        """End a guild's admission; return False if it has none."""
        admitted = (communities.c.id == guild_id) & communities.c.admitted_at.is_not(None)
        result = self._connection.execute(update(communities).where(admitted).values(admitted_at=None))
        return result.rowcount == 1

    def add(self, guild_id: int) -> None:
        """Insert a guild's row unless it exists."""
        statement = insert(self._connection, communities).values({"id": guild_id})
        self._connection.execute(statement.on_conflict_do_nothing())

    def settings(self, guild_id: int, *, lock: bool = False) -> GuildSettings:
        """Return a guild's settings; all unset if it has no row.

        `lock` locks the row, so that no other change comes in between.
        """
        row = self._connection.execute(_LOCKED if lock else _SETTINGS, {"the_guild": guild_id}).first()
        return NO_SETTINGS if row is None else settings_of(row)

    def change_settings(self, guild_id: int, changes: dict[str, Any]) -> None:
        """Store changed settings by name, as in `GuildSettings`."""
        self.add(guild_id)
        values = {name: list(each) if name in _LISTS else each for name, each in changes.items()}
        self._connection.execute(update(communities).where(communities.c.id == guild_id).values(values))

    def budget_cap(self, guild_id: int) -> int | None:
        """Return the operator's limit for a guild's month."""
        return self._connection.execute(select(communities.c.budget_cap).where(communities.c.id == guild_id)).scalar()

    def set_budget_cap(self, guild_id: int, amount: int | None) -> None:
        """Store the operator's limit for a guild's month; None removes it."""
        self.add(guild_id)
        self._connection.execute(update(communities).where(communities.c.id == guild_id).values(budget_cap=amount))


def settings_of(row: Any) -> GuildSettings:
    """Return the settings of a row with their columns."""
    values = {name: getattr(row, name) for name in GUILD_SETTINGS}
    return GuildSettings(**values | {name: tuple(values[name] or ()) for name in _LISTS})
