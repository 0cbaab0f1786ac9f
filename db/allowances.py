"""Allowances of guilds, and a guild's rules for a new job."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, or_, select

from bot.domain.allowances import AllowanceEntry, PeriodKind, candidates_of
from bot.domain.guild_settings import NO_SETTINGS, GuildSettings
from bot.domain.jobs import InteractionContext
from db.dialects import insert, padded
from db.guilds import SETTING_COLUMNS, GuildRepository, settings_of
from db.tables import allowances, communities

_OF_GUILD: Final = allowances.c.guild_id == bindparam("the_guild")
# Roles and member share the first place of the key with 0 for everyone.
_APPLIES: Final = or_(
    and_(allowances.c.member_id == 0, allowances.c.role_id.in_(bindparam("the_roles", expanding=True))),
    allowances.c.member_id == bindparam("the_member"),
)
# Built once: building a statement costs several times as much as running it.
_RULES: Final = (
    select(
        communities.c.admitted_at,
        communities.c.budget_cap,
        communities.c.rules_version,
        *SETTING_COLUMNS,
        allowances.c.role_id,
        allowances.c.member_id,
        allowances.c.amount,
        allowances.c.period,
    )
    .outerjoin(allowances, and_(allowances.c.guild_id == communities.c.id, _APPLIES))
    .where(communities.c.id == bindparam("the_guild"))
)
_GUILDS: Final = select(
    communities.c.id, communities.c.admitted_at, communities.c.budget_cap, communities.c.rules_version, *SETTING_COLUMNS
).where(communities.c.id.in_(bindparam("guilds", expanding=True)))
_ENTRIES: Final = select(allowances).where(
    allowances.c.guild_id.in_(bindparam("guilds", expanding=True)),
    allowances.c.member_id.in_(bindparam("members", expanding=True)),
)
_LIST: Final = select(allowances).where(_OF_GUILD).order_by(allowances.c.member_id, allowances.c.role_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRules:
    """A guild's rules for one member's jobs and credits.

    `entries` are the allowances that may apply. `budget_cap` is the operator's limit for this guild's month, None if
    there is none; the admins' is in the `settings`. `rules_version` is that of the prompt rules, None without any.
    """

    settings: GuildSettings = NO_SETTINGS
    is_admitted: bool = False
    budget_cap: int | None = None
    rules_version: str | None = None
    entries: tuple[AllowanceEntry, ...] = ()


class AllowanceRepository:
    """Allowances within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rules(self, guild_id: int, member_id: int, roles: Collection[int]) -> JobRules:
        """Return the rules for a member with these roles."""
        if guild_id == 0:
            return JobRules()
        keys = {"the_guild": guild_id, "the_member": member_id, "the_roles": [0, *roles]}
        rows = self._connection.execute(_RULES, keys).all()
        if not rows:
            return JobRules()
        return replace(_rules(rows[0]), entries=tuple(_from_row(row) for row in rows if row.period is not None))

    def rules_of_all(self, places: Sequence[InteractionContext]) -> list[JobRules]:
        """Return the rules for the member of each place."""
        if len(places) == 1:
            return [self.rules(each.guild_id, each.member_id, each.roles) for each in places]
        guilds = padded({each.guild_id for each in places})
        found = {row.id: _rules(row) for row in self._connection.execute(_GUILDS, {"guilds": guilds})}
        keys = {"guilds": guilds, "members": padded({0, *(each.member_id for each in places)})}
        entries: dict[int, list[AllowanceEntry]] = {}
        for row in self._connection.execute(_ENTRIES, keys):
            entries.setdefault(row.guild_id, []).append(_from_row(row))
        return [
            replace(rules, entries=candidates_of(entries.get(place.guild_id, ()), place.member_id, place.roles))
            if (rules := found.get(place.guild_id)) is not None
            else JobRules()
            for place in places
        ]

    def list(self, guild_id: int) -> tuple[AllowanceEntry, ...]:
        """Return all entries of a guild: everyone's, roles, members."""
        return tuple(_from_row(row) for row in self._connection.execute(_LIST, {"the_guild": guild_id}))

    def find(self, guild_id: int, *, role_id: int = 0, member_id: int = 0) -> AllowanceEntry | None:
        """Return the entry for a role, for a member or for everyone, or None."""
        of_entry = (allowances.c.role_id == role_id) & (allowances.c.member_id == member_id)
        row = self._connection.execute(select(allowances).where(allowances.c.guild_id == guild_id, of_entry)).first()
        return None if row is None else _from_row(row)

    def set(self, guild_id: int, entry: AllowanceEntry) -> None:
        """Store an entry, in place of an earlier one for the same."""
        GuildRepository(self._connection).add(guild_id)
        values = {"amount": entry.amount, "period": entry.period}
        keys = {"guild_id": guild_id, "role_id": entry.role_id, "member_id": entry.member_id}
        statement = insert(self._connection, allowances).values(keys | values)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[allowances.c.guild_id, allowances.c.role_id, allowances.c.member_id], set_=values
            )
        )

    def remove(self, guild_id: int, *, role_id: int = 0, member_id: int = 0) -> bool:
        """Remove an entry; return False if there is none."""
        of_entry = (allowances.c.role_id == role_id) & (allowances.c.member_id == member_id)
        statement = delete(allowances).where(allowances.c.guild_id == guild_id, of_entry)
        return self._connection.execute(statement).rowcount == 1


def _rules(row: Any) -> JobRules:
    """Return a guild's rules without entries."""
    return JobRules(
        settings=settings_of(row),
        is_admitted=row.admitted_at is not None,
        budget_cap=row.budget_cap,
        rules_version=row.rules_version,
    )


def _from_row(row: Any) -> AllowanceEntry:
    return AllowanceEntry(
        amount=row.amount, period=PeriodKind(row.period), role_id=row.role_id, member_id=row.member_id
    )
