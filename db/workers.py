"""Workers: the running processes, each alive for as long as it keeps renewing its lease."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, update

from db.dialects import insert
from db.tables import jobs, workers

_RENEW: Final = update(workers).where(workers.c.id == bindparam("the_id"))
_REMOVE_DEAD: Final = delete(workers).where(
    workers.c.expires_at < bindparam("moment"), workers.c.id != bindparam("the_id")
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

    def remove_dead(self, now: datetime, survivor: str) -> None:
        """Forget the workers whose lease has ended, except the one that asks."""
        self._connection.execute(_REMOVE_DEAD, {"moment": now, "the_id": survivor})

    def remove_others(self, survivor: str) -> None:
        """Forget all workers but one: for whoever knows that it is alone."""
        self._connection.execute(delete(workers).where(workers.c.id != survivor))

    def remove(self, worker_id: str) -> None:
        """Forget a worker that ends, and give its jobs to whoever asks first."""
        mine = update(jobs).where(jobs.c.owner == worker_id, jobs.c.delivered_at.is_(None))
        self._connection.execute(mine.values(owner=None))
        self._connection.execute(delete(workers).where(workers.c.id == worker_id))
