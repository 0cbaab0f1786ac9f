"""Pauses of new jobs: begin, end, list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.errors import UnknownPauseTargetError
from bot.domain.pauses import Pause, Pauses, PauseScope
from db.audit_log import AuditLogRepository
from db.database import Database
from db.pauses import PauseRepository

OPERATOR = 0
"""The actor of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunPause:
    """A pause and the earlier one of the same that it replaced, if any."""

    pause: Pause
    replaced: Pause | None


class PauseService:
    """Pauses of everything, of a server, of a model or of a provider.

    `models` and `providers` are the names that can be paused. `on_change` is called after each change.
    """

    def __init__(
        self,
        *,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        models: Sequence[str],
        providers: Sequence[str],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._known = {PauseScope.MODEL: tuple(models), PauseScope.PROVIDER: tuple(providers)}
        self._on_change = on_change

    async def list(self) -> Pauses:
        """Return all pauses."""
        return await self._database.read(lambda connection: PauseRepository(connection).list())

    async def begin(
        self, scope: PauseScope, name: str = "", *, actor_id: int = OPERATOR, reason: str = ""
    ) -> BegunPause:
        """Begin a pause; a second one replaces reason and time.

        Once this returns, no process holds credits or claims jobs against it. Jobs at providers go on.

        Raises:
            UnknownPauseTargetError: there is no such model or provider.
        """
        if name not in self._known.get(scope, (name,)):
            raise UnknownPauseTargetError(scope, name, self._known[scope])
        pause = Pause(scope=scope, name=name, reason=reason.strip(), actor_id=actor_id, at=self._now())

        def write(connection: Connection) -> Pause | None:
            replaced = PauseRepository(connection).begin(pause)
            self._record(connection, "pause.begin", pause.scope, pause.name, actor_id, pause.reason)
            return replaced

        replaced = await self._database.write(write)
        self._on_change()
        return BegunPause(pause=pause, replaced=replaced)

    async def end(self, scope: PauseScope, name: str = "", *, actor_id: int = OPERATOR) -> bool:
        """End a pause; return False if there is none.

        Raises:
            UnknownPauseTargetError: there is no such model or provider.
        """

        def write(connection: Connection) -> bool:
            if not PauseRepository(connection).end(scope, name):
                return False
            self._record(connection, "pause.end", scope, name, actor_id)
            return True

        ended = await self._database.write(write)
        if not ended and name not in self._known.get(scope, (name,)):
            raise UnknownPauseTargetError(scope, name, self._known[scope])
        if ended:
            self._on_change()
        return ended

    def _record(
        self, connection: Connection, action: str, scope: PauseScope, name: str, actor_id: int, reason: str = ""
    ) -> None:
        is_guild = scope in (PauseScope.GUILD, PauseScope.STUDIO)
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=int(name) if is_guild else 0,
            actor_id=actor_id,
            action=action,
            at=self._now(),
            detail={"scope": scope} if is_guild else {"scope": scope, "name": name},
            reason=reason,
        )
        AuditLogRepository(connection).add(entry)
