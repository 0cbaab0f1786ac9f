"""Metrics of the whole studio, from the database."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from bot.domain.credits import Budget
from bot.domain.pauses import PauseScope
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.monitoring.process_collector import gauge
from db.database import Database
from db.overview import Overview, read_overview

_log = structlog.get_logger(__name__)

_FRESH_SECONDS: Final = 2.0
# Less than the ten seconds that Prometheus waits: the other metrics matter most while the database is away.
_READ_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    now: datetime
    overview: Overview
    budget: Budget
    is_budget_spent: bool

    @property
    def pauses(self) -> dict[PauseScope, int]:
        return {scope: sum(pause.scope is scope for pause in self.overview.pauses) for scope in PauseScope}

    @property
    def oldest_age(self) -> float:
        oldest = self.overview.oldest_held_at
        return 0.0 if oldest is None else max(0.0, (self.now - oldest).total_seconds())

    @property
    def audit_problems(self) -> int | None:
        return None if self.overview.audit is None else self.overview.audit.problems

    @property
    def audited_at(self) -> float | None:
        return None if self.overview.audit is None else self.overview.audit.at.timestamp()


_Value = Callable[[_Reading], float | None]
_GAUGES: Final[tuple[tuple[str, str, _Value], ...]] = (
    ("queue_jobs", "Jobs that wait for a slot.", lambda reading: reading.overview.queued),
    ("queue_oldest_age_seconds", "Age of the oldest job that is held.", lambda reading: reading.oldest_age),
    ("undelivered_jobs", "Ended jobs, not yet shown on their card.", lambda reading: reading.overview.undelivered),
    ("workers", "Processes with a lease.", lambda reading: reading.overview.workers),
    ("audit_problems", "Mistakes in the ledger, by the latest audit.", lambda reading: reading.audit_problems),
    ("audit_timestamp_seconds", "Time of the latest audit.", lambda reading: reading.audited_at),
    ("budget_limit_credits", "The budget of this month.", lambda reading: reading.budget.limit),
    ("budget_left_credits", "Credits left of the budget.", lambda reading: reading.budget.left),
    ("budget_spent", "1 once the budget covers no further picture.", lambda reading: reading.is_budget_spent),
    ("budget_held_credits", "Credits held for running jobs.", lambda reading: reading.budget.held),
    ("budget_captured_credits", "Credits captured for pictures this month.", lambda reading: reading.budget.captured),
    (
        "budget_at_risk_credits",
        "Credits of jobs that a provider may still bill.",
        lambda reading: reading.budget.at_risk,
    ),
)


class StudioCollector(Collector):
    """Numbers of all processes, the same in each: use `max()` over them.

    `refresh` reads the database, at most once in a few seconds; `collect` yields the latest reading.
    `cheapest` is the lowest price of a picture.
    """

    def __init__(self, *, database: Database, ledger: Ledger, clock: Clock, cheapest: int) -> None:
        self._database = database
        self._cheapest = cheapest
        self._ledger = ledger
        self._clock = clock
        self._reading: _Reading | None = None
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Read the database unless the latest reading is fresh."""
        async with self._turn:
            at = self._clock.monotonic()
            if self._reading is not None and at - self._reading.at < _FRESH_SECONDS:
                return
            self._reading = None
            now = self._clock.now()

            def read(connection: Connection) -> tuple[Overview, Budget]:
                return read_overview(connection, now), self._ledger.budget(connection, now)

            try:
                async with asyncio.timeout(_READ_SECONDS):
                    overview, budget = await self._database.read(read)
                self._reading = _Reading(at, now, overview, budget, budget.is_spent(self._cheapest))
            except Exception as error:  # noqa: BLE001 - the metric says so, and the database may be back in a moment
                _log.warning("metrics.database_not_read", error=type(error).__name__)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the latest reading."""
        reading = self._reading
        yield gauge("database_up", "1 if the database answered.", reading is not None)
        jobs = GaugeMetricFamily("atelier_jobs", "Jobs that are not over, by state.", labels=("state",))
        for state, number in () if reading is None else reading.overview.live.items():
            jobs.add_metric((state,), number)
        yield jobs
        pauses = GaugeMetricFamily("atelier_pauses", "Pauses of new jobs, by scope.", labels=("scope",))
        for scope, number in () if reading is None else reading.pauses.items():
            pauses.add_metric((scope,), number)
        yield pauses
        for name, documentation, value in _GAUGES:
            yield gauge(name, documentation, None if reading is None else value(reading))
