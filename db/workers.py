"""Workers: running processes, alive while they renew their lease."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, inspect, select, update

from db.dialects import insert
from db.tables import jobs, workers

_RENEW: Final = update(workers).where(workers.c.id == bindparam("the_id"))
_OTHERS: Final = select(workers.c.id, workers.c.expires_at).where(workers.c.id != bindparam("the_id"))
_DELETE_EXPIRED: Final = delete(workers).where(
    workers.c.id == bindparam("the_id"), workers.c.expires_at == bindparam("the_end")
)


class WorkerRepository:
    """Workers within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def renew(self, worker_id: str, now: datetime, expires_at: datetime) -> bool:
        """Extend a worker's lease.

        Return False if the worker had no row: it is new, or was declared dead. It is then inserted.
        """
        if self._connection.execute(_RENEW, {"the_id": worker_id, "expires_at": expires_at}).rowcount == 1:
            return True
        statement = insert(self._connection, workers).on_conflict_do_nothing()
        self._connection.execute(statement, {"id": worker_id, "started_at": now, "expires_at": expires_at})
        return False

    def has_live(self, now: datetime) -> bool:
        """Return whether a worker's lease is valid; False without tables."""
        if not inspect(self._connection).has_table(workers.name):
            return False
        live = select(workers.c.id).where(workers.c.expires_at > now).limit(1)
        return self._connection.execute(live).first() is not None

    def list_others(self, worker_id: str) -> dict[str, datetime]:
        """Return each other worker's lease end, by its own clock."""
        rows = self._connection.execute(_OTHERS, {"the_id": worker_id})
        return {row.id: row.expires_at for row in rows}

    def delete_expired(self, dead: Mapping[str, datetime]) -> None:
        """Delete dead workers; a lease renewed meanwhile keeps its worker.

        Any worker may take over the jobs of a deleted one.
        """
        if dead:
            self._connection.execute(_DELETE_EXPIRED, [{"the_id": id_, "the_end": end} for id_, end in dead.items()])

    def remove(self, worker_id: str) -> None:
        """Delete an ending worker and release its jobs to the others."""
        mine = update(jobs).where(jobs.c.owner == worker_id, jobs.c.delivered_at.is_(None))
        self._connection.execute(mine.values(owner=None))
        self._connection.execute(delete(workers).where(workers.c.id == worker_id))
