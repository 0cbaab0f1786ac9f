"""Pauses of all jobs, or of one guild, model or provider."""

from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, or_, select

from bot.domain.pauses import Pause, Pauses, PauseScope
from db.dialects import insert
from db.locks import CLAIMING, PAUSING, advisory_lock, shared_advisory_lock
from db.tables import pauses

_OF_GUILDS: Final = [PauseScope.GUILD, PauseScope.STUDIO]
_ALL: Final = select(pauses).order_by(pauses.c.at)
_FOR_GUILD: Final = _ALL.where(or_(pauses.c.scope.not_in(_OF_GUILDS), pauses.c.name == bindparam("the_guild")))


class PauseRepository:
    """Pauses within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock_for_new_job(self) -> None:
        """Let no pause begin before this transaction ends."""
        shared_advisory_lock(self._connection, PAUSING)

    def find(self, guild_id: int) -> Pauses:
        """Return the pauses of a guild's jobs."""
        return Pauses(_from_row(row) for row in self._connection.execute(_FOR_GUILD, {"the_guild": str(guild_id)}))

    def list(self) -> Pauses:
        """Return all pauses."""
        return Pauses(_from_row(row) for row in self._connection.execute(_ALL))

    def begin(self, pause: Pause) -> Pause | None:
        """Store a pause, in place of an earlier one of the same; return that one.

        Once this transaction is committed, no new hold and no claim ignores the pause.
        """
        advisory_lock(self._connection, PAUSING)
        advisory_lock(self._connection, CLAIMING)
        of_same = (pauses.c.scope == pause.scope) & (pauses.c.name == pause.name)
        row = self._connection.execute(select(pauses).where(of_same)).first()
        values = {"reason": pause.reason, "actor_id": pause.actor_id, "at": pause.at}
        statement = insert(self._connection, pauses).values({"scope": pause.scope, "name": pause.name} | values)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=[pauses.c.scope, pauses.c.name], set_=values)
        )
        return None if row is None else _from_row(row)

    def end(self, scope: PauseScope, name: str) -> bool:
        """End a pause; return False if there is none."""
        statement = delete(pauses).where(pauses.c.scope == scope, pauses.c.name == name)
        return self._connection.execute(statement).rowcount == 1


def _from_row(row: Any) -> Pause:
    return Pause(**dict(row._mapping) | {"scope": PauseScope(row.scope)})
