"""The audit log: changes and decisions of admins, moderators and owners."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from db.tables import audit_log


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A change or a decision.

    `guild_id` is 0 for the operator's. `target_id` is the member, role or channel concerned. `detail` has the values
    before and after; no prompts, keys or tokens.
    """

    id: str
    guild_id: int
    actor_id: int
    action: str
    at: datetime
    target_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


class AuditLogRepository:
    """The audit log within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, entry: AuditEntry) -> None:
        """Append an entry."""
        self._connection.execute(
            insert(audit_log),
            {
                "id": entry.id,
                "guild_id": entry.guild_id,
                "actor_id": entry.actor_id,
                "action": entry.action,
                "target_id": entry.target_id,
                "detail": dict(entry.detail),
                "reason": entry.reason,
                "at": entry.at,
            },
        )

    def list(
        self,
        guild_id: int,
        *,
        limit: int,
        before: str | None = None,
        action: str | None = None,
        actor_id: int | None = None,
        target_id: int | None = None,
    ) -> tuple[AuditEntry, ...]:
        """Return a guild's entries, newest first.

        `before` is the id of the last entry of the page before. The others are filters.
        """
        conditions = [audit_log.c.guild_id == guild_id]
        if before is not None:
            conditions.append(audit_log.c.id < before)
        for column, value in (("action", action), ("actor_id", actor_id), ("target_id", target_id)):
            if value is not None:
                conditions.append(audit_log.c[column] == value)
        statement = select(audit_log).where(*conditions).order_by(audit_log.c.id.desc()).limit(limit)
        return tuple(AuditEntry(**row._mapping) for row in self._connection.execute(statement))
