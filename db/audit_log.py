"""The audit log: changes and decisions of admins, moderators and owners."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, or_, select

from bot.domain.audit_log import AuditEntry
from db.tables import audit_log

_COLUMNS: Final = [column.label(column.key) for column in audit_log.c]


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
        kinds: Collection[str] = (),
        about: int | None = None,
    ) -> tuple[AuditEntry, ...]:
        """Return a guild's entries, newest first.

        `before` is the id of the last entry of the page before. `kinds` are the first words of actions, such as `ban`
        of `ban.add`; `about` is the member, role or channel that acted or was concerned.
        """
        conditions = [audit_log.c.guild_id == guild_id]
        if before is not None:
            conditions.append(audit_log.c.id < before)
        if kinds:
            conditions.append(or_(*(audit_log.c.action.startswith(f"{kind}.", autoescape=True) for kind in kinds)))
        if about is not None:
            conditions.append(or_(audit_log.c.actor_id == about, audit_log.c.target_id == about))
        statement = select(*_COLUMNS).where(*conditions).order_by(audit_log.c.id.desc()).limit(limit)
        return tuple(_from_row(row) for row in self._connection.execute(statement))

    def list_of_actions(self, guild_id: int, *, actions: Collection[str], since: datetime) -> tuple[AuditEntry, ...]:
        """Return a guild's entries of these actions since a time, oldest first."""
        statement = select(*_COLUMNS).where(
            audit_log.c.guild_id == guild_id, audit_log.c.at >= since, audit_log.c.action.in_(list(actions))
        )
        order = (audit_log.c.at, audit_log.c.id)
        return tuple(_from_row(row) for row in self._connection.execute(statement.order_by(*order)))

    def list_of_target(
        self, guild_id: int, target_id: int, *, actions: Collection[str], since: datetime
    ) -> tuple[AuditEntry, ...]:
        """Return entries about a member since a time, oldest first."""
        statement = select(*_COLUMNS).where(
            audit_log.c.guild_id == guild_id,
            audit_log.c.at >= since,
            audit_log.c.target_id == target_id,
            audit_log.c.action.in_(list(actions)),
        )
        order = (audit_log.c.at, audit_log.c.id)
        return tuple(_from_row(row) for row in self._connection.execute(statement.order_by(*order)))


def _from_row(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        guild_id=row.guild_id,
        actor_id=row.actor_id,
        action=row.action,
        target_id=row.target_id,
        detail=row.detail,
        reason=row.reason,
        at=row.at,
    )
