"""Rules of guilds for models and options."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from bot.domain.access_rules import AccessRule, RuleKind
from db.dialects import insert
from db.tables import access_rules

# Built once: building a statement costs several times as much as running it.
_LIST: Final = (
    select(access_rules.c.kind, access_rules.c.name, access_rules.c.role_id)
    .where(access_rules.c.guild_id == bindparam("the_guild"))
    .order_by(access_rules.c.kind, access_rules.c.name)
)


class AccessRuleRepository:
    """Rules within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, guild_id: int) -> tuple[AccessRule, ...]:
        """Return a guild's rules by kind and name."""
        roles: dict[tuple[str, str], set[int]] = {}
        for kind, name, role_id in self._connection.execute(_LIST, {"the_guild": guild_id}):
            roles.setdefault((kind, name), set()).add(role_id)
        return tuple(
            AccessRule(kind=RuleKind(kind), name=name, roles=frozenset(ids)) for (kind, name), ids in roles.items()
        )

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
