"""Bans of members."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, delete, or_, select

from bot.domain.bans import Ban, BanScope
from bot.domain.jobs import InteractionContext
from db.dialects import insert, padded
from db.tables import bans

EVERYWHERE: Final = 0
"""The guild id of a ban in every guild."""

_IN_FORCE: Final = or_(bans.c.until.is_(None), bans.c.until > bindparam("now"))
_COLUMNS: Final = [column.label(column.key) for column in bans.c]
# Built once: building a statement costs several times as much as running it.
_OF_MEMBER: Final = (
    select(*_COLUMNS)
    .where(
        bans.c.member_id == bindparam("the_member"),
        bans.c.guild_id.in_(bindparam("guilds", expanding=True)),
        bans.c.scope.in_(bindparam("scopes", expanding=True)),
        _IN_FORCE,
    )
    .order_by(bans.c.scope, bans.c.guild_id)
)
_OF_MEMBERS: Final = (
    select(*_COLUMNS)
    .where(
        bans.c.member_id.in_(bindparam("members", expanding=True)),
        bans.c.guild_id.in_(bindparam("guilds", expanding=True)),
        bans.c.scope.in_(bindparam("scopes", expanding=True)),
        _IN_FORCE,
    )
    .order_by(bans.c.scope, bans.c.guild_id)
)
_LIST: Final = (
    select(*_COLUMNS)
    .where(bans.c.guild_id == bindparam("the_guild"), _IN_FORCE)
    .order_by(bans.c.at.desc(), bans.c.member_id, bans.c.scope)
)


class BanRepository:
    """Bans within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, guild_id: int, member_id: int, now: datetime, *scopes: BanScope) -> Ban | None:
        """Return a ban in force here or everywhere, of one of the scopes."""
        keys = {"the_member": member_id, "guilds": [guild_id, EVERYWHERE], "scopes": list(scopes), "now": now}
        row = self._connection.execute(_OF_MEMBER, keys).first()
        return None if row is None else _from_row(row)

    def find_all(self, places: Sequence[InteractionContext], now: datetime, *scopes: BanScope) -> list[Ban | None]:
        """Return the ban of each place's member, as `find` does."""
        keys = {
            "members": padded({each.member_id for each in places}),
            "guilds": padded({EVERYWHERE, *(each.guild_id for each in places)}),
            "scopes": list(scopes),
            "now": now,
        }
        found = [_from_row(row) for row in self._connection.execute(_OF_MEMBERS, keys)]

        def of_place(place: InteractionContext) -> Ban | None:
            here = (place.guild_id, EVERYWHERE)
            return next((ban for ban in found if ban.member_id == place.member_id and ban.guild_id in here), None)

        return [of_place(place) for place in places]

    def list(self, guild_id: int, now: datetime) -> tuple[Ban, ...]:
        """Return the bans in force in a guild, latest first."""
        return tuple(_from_row(row) for row in self._connection.execute(_LIST, {"the_guild": guild_id, "now": now}))

    def set(self, ban: Ban) -> None:
        """Store a ban, in place of an earlier one of its scope."""
        values = {"until": ban.until, "reason": ban.reason, "actor_id": ban.actor_id, "at": ban.at}
        keys = {"guild_id": ban.guild_id, "member_id": ban.member_id, "scope": ban.scope}
        statement = insert(self._connection, bans).values(keys | values)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[bans.c.guild_id, bans.c.member_id, bans.c.scope], set_=values
            )
        )

    def end(self, guild_id: int, member_id: int, now: datetime) -> tuple[BanScope, ...]:
        """End a member's bans in a guild; return the scopes in force."""
        of_member = (bans.c.guild_id == guild_id) & (bans.c.member_id == member_id)
        ended = [ban for ban in self.list(guild_id, now) if ban.member_id == member_id]
        self._connection.execute(delete(bans).where(of_member))
        return tuple(ban.scope for ban in ended)


def select_banned(guild_id: int, now: datetime, *scopes: BanScope) -> Select[int]:
    """Return a query for the members with a ban in force here or everywhere."""
    in_force = or_(bans.c.until.is_(None), bans.c.until > now)
    here = bans.c.guild_id.in_([guild_id, EVERYWHERE])
    return select(bans.c.member_id).where(here, bans.c.scope.in_(scopes), in_force)


def _from_row(row: Row[Any]) -> Ban:
    return Ban(**{**row._mapping, "scope": BanScope(row.scope)})
