"""Rules of guilds for models and options."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from bot.domain.access_rules import AccessRule, RuleKind
from db.dialects import insert, padded
from db.tables import access_rules

# Built once: building a statement costs several times as much as running it.
_LIST: Final = (
    select(access_rules.c.guild_id, access_rules.c.kind, access_rules.c.name, access_rules.c.role_id)
    .where(access_rules.c.guild_id.in_(bindparam("guilds", expanding=True)))
    .order_by(access_rules.c.kind, access_rules.c.name)
)


class AccessRuleRepository:
    """Rules within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, guild_id: int) -> tuple[AccessRule, ...]:
        """Return a guild's rules by kind and name."""
        return self.list_all([guild_id]).get(guild_id, ())

    def list_all(self, guilds: Collection[int]) -> dict[int, tuple[AccessRule, ...]]:
        """Return the rules of guilds; those without any are left out."""
        roles: dict[tuple[int, str, str], set[int]] = {}
        for guild_id, kind, name, role_id in self._connection.execute(_LIST, {"guilds": padded(guilds)}):
            roles.setdefault((guild_id, kind, name), set()).add(role_id)
        found: dict[int, tuple[AccessRule, ...]] = {}
        for (guild_id, kind, name), ids in roles.items():
            rule = AccessRule(kind=RuleKind(kind), name=name, roles=frozenset(ids))
            found[guild_id] = (*found.get(guild_id, ()), rule)
        return found

    def allow(self, guild_id: int, kind: RuleKind, name: str, role_id: int) -> bool:
        """Let a role use a model or an option; others need a role then.

        Return False if it may already.
        """
        values = {"guild_id": guild_id, "kind": kind, "name": name, "role_id": role_id}
        statement = insert(self._connection, access_rules).values(values)
        return self._connection.execute(statement.on_conflict_do_nothing()).rowcount == 1

    def remove(self, guild_id: int, kind: RuleKind, name: str, role_id: int | None = None) -> bool:
        """Remove a role from a rule, or the rule; return False if missing.

        Without its last role the rule is gone: everyone may use its subject.
        """
        conditions = [access_rules.c.guild_id == guild_id, access_rules.c.kind == kind, access_rules.c.name == name]
        if role_id is not None:
            conditions.append(access_rules.c.role_id == role_id)
        return self._connection.execute(delete(access_rules).where(*conditions)).rowcount > 0
