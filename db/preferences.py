"""Members' default options."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, literal, select

from bot.domain.preferences import DEFAULT_CONFIRM_OVER, NO_PREFERENCES, Notice, Preferences
from db.accounts import AccountKey
from db.dialects import insert, padded
from db.tables import communities, preferences

# Built once: every command reads it, and building it costs more than running it.
_OF_MEMBER: Final = select(preferences).where(preferences.c.member_id == bindparam("the_member"))
_ONE_ROW: Final = select(literal(1).label("one")).subquery()
_IN_GUILD: Final = select(preferences, communities.c.private_results).select_from(
    _ONE_ROW.outerjoin(preferences, preferences.c.member_id == bindparam("the_member")).outerjoin(
        communities, communities.c.id == bindparam("the_guild")
    )
)

_OF_MEMBERS: Final = select(preferences).where(preferences.c.member_id.in_(bindparam("members", expanding=True)))
_PRIVATE_IN: Final = select(communities.c.id, communities.c.private_results).where(
    communities.c.id.in_(bindparam("guilds", expanding=True))
)


class PreferenceRepository:
    """Preferences within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, member_id: int) -> Preferences:
        """Return a member's preferences, or the bot's defaults."""
        row = self._connection.execute(_OF_MEMBER, {"the_member": member_id}).first()
        return NO_PREFERENCES if row is None else _from_row(row)

    def get_in_guild(self, guild_id: int, member_id: int) -> Preferences:
        """Return a member's preferences as they apply in a guild.

        A member without a preference for privacy has the guild's.
        """
        keys = {"the_guild": guild_id, "the_member": member_id}
        row = self._connection.execute(_IN_GUILD, keys).one()
        found = _from_row(row)
        return found if found.private is not None else replace(found, private=row.private_results)

    def list_in_guilds(self, accounts: Collection[AccountKey]) -> dict[AccountKey, Preferences]:
        """Return members' preferences in guilds, as `get_in_guild` does."""
        if len(accounts) == 1:
            return {(guild_id, member_id): self.get_in_guild(guild_id, member_id) for guild_id, member_id in accounts}
        members = padded({member_id for _, member_id in accounts})
        rows = self._connection.execute(_OF_MEMBERS, {"members": members})
        own = {row.member_id: _from_row(row) for row in rows}
        guilds = padded({guild_id for guild_id, _ in accounts})
        private = dict(self._connection.execute(_PRIVATE_IN, {"guilds": guilds}).tuples().all())
        found = {}
        for guild_id, member_id in accounts:
            of_member = own.get(member_id, NO_PREFERENCES)
            if of_member.private is None:
                of_member = replace(of_member, private=private.get(guild_id))
            found[guild_id, member_id] = of_member
        return found

    def mark_hinted(self, member_id: int, at: datetime) -> bool:
        """Record a member's first-use hint; return False if they had it."""
        marked = (
            insert(self._connection, preferences)
            .values(member_id=member_id, hinted_at=at, updated_at=at)
            .on_conflict_do_update(
                index_elements=[preferences.c.member_id],
                set_={"hinted_at": at},
                where=preferences.c.hinted_at.is_(None),
            )
            .returning(preferences.c.member_id)
        )
        return self._connection.execute(marked).first() is not None

    def was_hinted(self, member_id: int) -> bool:
        """Return whether a member had their first-use hint."""
        row = self._connection.execute(_OF_MEMBER, {"the_member": member_id}).first()
        return row is not None and row.hinted_at is not None

    def save(self, member_id: int, wanted: Preferences, at: datetime) -> None:
        """Store a member's preferences.

        Values equal to the bot's default are not stored, so that they follow later defaults.
        """
        values = {
            "model": wanted.model,
            "aspect_ratio": wanted.aspect_ratio,
            "format": wanted.format,
            "private": wanted.private,
            "confirm_over": None if wanted.confirm_over == DEFAULT_CONFIRM_OVER else wanted.confirm_over,
            "remix": True if wanted.remix else None,
            "decisions": None if wanted.decisions else False,
            "notice": None if wanted.notice is Notice.OFF else wanted.notice,
            "updated_at": at,
        }
        self._connection.execute(
            insert(self._connection, preferences)
            .values(member_id=member_id, **values)
            .on_conflict_do_update(index_elements=[preferences.c.member_id], set_=values)
        )


def _from_row(row: Any) -> Preferences:
    return Preferences(
        model=row.model,
        aspect_ratio=row.aspect_ratio,
        format=row.format,
        private=row.private,
        confirm_over=DEFAULT_CONFIRM_OVER if row.confirm_over is None else row.confirm_over,
        notice=Notice.OFF if row.notice is None else Notice(row.notice),
        remix=bool(row.remix),
        decisions=row.decisions is not False,
    )
