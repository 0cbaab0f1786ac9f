"""Guilds' settings for sharing."""

from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from bot.domain.sharing.settings import SHARING_SETTINGS, ReviewMode, SharingSettings, VoteKind
from db.dialects import insert
from db.tables import sharing_settings

_LISTS = ("trusted_roles", "refusal_reasons", "voter_roles")
# Built once: every share and every vote reads it.
_SETTINGS = select(*(sharing_settings.c[name] for name in SHARING_SETTINGS)).where(
    sharing_settings.c.guild_id == bindparam("the_guild")
)


class SharingSettingsRepository:
    """Settings for sharing within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, guild_id: int) -> SharingSettings:
        """Return a guild's settings, by default the standard ones."""
        row = self._connection.execute(_SETTINGS, {"the_guild": guild_id}).first()
        if row is None:
            return SharingSettings()
        values = {name: getattr(row, name) for name in SHARING_SETTINGS}
        lists = {name: tuple(values[name]) for name in _LISTS}
        kinds = {"review": ReviewMode(row.review), "votes": VoteKind(row.votes)}
        return SharingSettings(**{**values, **lists, **kinds})

    def change(self, guild_id: int, changes: dict[str, Any]) -> SharingSettings:
        """Store changed settings by name, as in `SharingSettings`; return all."""
        defaults = _values_of(SharingSettings())
        key = {"guild_id": guild_id}
        new = insert(self._connection, sharing_settings).values(key | defaults).on_conflict_do_nothing()
        self._connection.execute(new)
        values = {name: list(each) if name in _LISTS else each for name, each in changes.items()}
        if values:
            of_guild = sharing_settings.c.guild_id == guild_id
            self._connection.execute(update(sharing_settings).where(of_guild).values(values))
        return self.get(guild_id)


def _values_of(settings: SharingSettings) -> dict[str, Any]:
    values = {name: getattr(settings, name) for name in SHARING_SETTINGS}
    return {name: list(each) if name in _LISTS else each for name, each in values.items()}
