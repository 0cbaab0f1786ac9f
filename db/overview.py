"""Counts of the whole studio, the same for every process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from bot.domain.jobs import LIVE, State
from bot.domain.pauses import Pauses
from db.audit_results import AuditResult, AuditResultRepository
from db.pauses import PauseRepository
from db.queue import QueueRepository
from db.tables import jobs, workers

# Both read only the partial indexes of the few jobs that are not over.
_LIVE: Final = (
    select(jobs.c.state, func.count().label("number"), func.min(jobs.c.created_at).label("oldest"))
    .where(jobs.c.finished_at.is_(None))
    .group_by(jobs.c.state)
)
_UNDELIVERED: Final = (
    select(func.count()).select_from(jobs).where(jobs.c.delivered_at.is_(None), jobs.c.finished_at.is_not(None))
)
_WORKERS: Final = select(func.count()).select_from(workers).where(workers.c.expires_at > bindparam("now"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The studio at one moment.

    `live` counts the jobs of each state that is not final, `queued` those that wait for a slot. `undelivered` jobs
    ended, and their card does not show it yet.
    """

    live: Mapping[State, int]
    queued: int
    oldest_held_at: datetime | None
    undelivered: int
    workers: int
    audit: AuditResult | None
    pauses: Pauses


def read_overview(connection: Connection, now: datetime) -> Overview:
    """Return the studio's counts at `now`."""
    rows = {State(row.state): row for row in connection.execute(_LIVE)}
    return Overview(
        live={state: rows[state].number if state in rows else 0 for state in LIVE},
        queued=QueueRepository(connection).count(),
        oldest_held_at=rows[State.HELD].oldest if State.HELD in rows else None,
        undelivered=connection.execute(_UNDELIVERED).scalar_one(),
        workers=connection.execute(_WORKERS, {"now": now}).scalar_one(),
        audit=AuditResultRepository(connection).find(),
        pauses=PauseRepository(connection).list(),
    )
