"""Workers: the running processes, each alive for as long as it keeps renewing its lease."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from db.dialects import insert
from db.tables import jobs, workers

_RENEW: Final = update(workers).where(workers.c.id == bindparam("the_id"))
_OTHERS: Final = select(workers.c.id, workers.c.expires_at).where(workers.c.id != bindparam("the_id"))
_FORGET: Final = delete(workers).where(
    workers.c.id == bindparam("the_id"), workers.c.expires_at == bindparam("the_end")
)


class WorkerRepository:
    """Workers within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def renew(self, worker_id: str, now: datetime, expires_at: datetime) -> bool:
        """Put the end of a worker's lease off; False for a new one, or one that was taken for dead: it begins anew."""
        if self._connection.execute(_RENEW, {"the_id": worker_id, "expires_at": expires_at}).rowcount == 1:
            return True
        statement = insert(self._connection, workers).on_conflict_do_nothing()
        self._connection.execute(statement, {"id": worker_id, "started_at": now, "expires_at": expires_at})
        return False

    def others(self, worker_id: str) -> dict[str, datetime]:
        """Return when the lease of each other worker ends, by its own clock."""
        rows = self._connection.execute(_OTHERS, {"the_id": worker_id})
        return {row.id: row.expires_at for row in rows}

    def forget(self, dead: Mapping[str, datetime]) -> None:
        """Forget workers that are dead, unless one has renewed its lease since; their jobs are anybody's."""
        if dead:
            self._connection.execute(_FORGET, [{"the_id": id_, "the_end": end} for id_, end in dead.items()])

    def remove(self, worker_id: str) -> None:
        """Forget a worker that ends, and give its jobs to whoever asks first."""
        mine = update(jobs).where(jobs.c.owner == worker_id, jobs.c.delivered_at.is_(None))
        self._connection.execute(mine.values(owner=None))
        self._connection.execute(delete(workers).where(workers.c.id == worker_id))
