"""Transactions of one admitted guild, with its audit log."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.engine.clock import Clock
from bot.services.access import AccessService
from db.audit_log import AuditLogRepository
from db.database import Database

T = TypeVar("T")
Work = Callable[[Connection, datetime], T]
"""Part of a transaction; the time is that of its begin."""


class GuildTransactions:
    """Runs the transactions of services that admins use.

    Callers check the rights of the actor; actor 0 is the operator.
    """

    def __init__(self, *, database: Database, access: AccessService, clock: Clock, new_id: Callable[[], str]) -> None:
        self._database = database
        self._access = access
        self._clock = clock
        self._new_id = new_id

    async def read(self, guild_id: int, work: Work[T]) -> T:
        """Read in one transaction.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
        """
        return await self._database.read(self._checked(guild_id, work))

    async def write(self, guild_id: int, work: Work[T]) -> T:
        """Write in one transaction; raises as `read` does."""
        return await self._database.write(self._checked(guild_id, work))

    def _checked(self, guild_id: int, work: Work[T]) -> Callable[[Connection], T]:
        now = self._clock.now()

        def run(connection: Connection) -> T:
            self._access.check(connection, guild_id)
            return work(connection, now)

        return run

    def record(
        self,
        connection: Connection,
        action: str,
        *,
        guild_id: int,
        actor_id: int,
        target_id: int | None,
        detail: Mapping[str, Any],
        reason: str,
        at: datetime,
    ) -> None:
        """Add a change to the audit log, in the transaction of the change."""
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=guild_id,
            actor_id=actor_id,
            action=action,
            target_id=target_id,
            detail=detail,
            reason=reason,
            at=at,
        )
        AuditLogRepository(connection).add(entry)
