"""Jobs of a restored database, before any bot runs on it."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, case, func, select, update

from bot.domain.jobs import LIVE, Delivery, Job, State
from db.job_rows import read_jobs
from db.tables import jobs

_LIVE: Final = jobs.c.state.in_(LIVE)


class RestoredJobRepository:
    """Jobs for a start to take up, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count_live(self) -> int:
        """Return the number of jobs without an end."""
        return self._connection.execute(select(func.count()).select_from(jobs).where(_LIVE)).scalar_one()

    def list_live(self) -> tuple[Job, ...]:
        """Return the jobs without an end, oldest first."""
        rows = self._connection.execute(select(jobs).where(_LIVE).order_by(jobs.c.created_at, jobs.c.id)).all()
        return read_jobs(self._connection, rows)

    def close_deliveries(self, at: datetime) -> None:
        """Record all ended jobs as delivered: the images are in the history."""
        place = case((jobs.c.state == State.DONE, Delivery.HISTORY.value), else_=Delivery.NOWHERE.value)
        undelivered = (jobs.c.delivered_at.is_(None), jobs.c.state.not_in(LIVE))
        self._connection.execute(update(jobs).where(*undelivered).values(delivered_at=at, delivery=place))
