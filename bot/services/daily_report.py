"""A daily report about the studio to the bot's owners."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.budget_forecasts import PACE_DAYS, BudgetForecast, budget_forecast
from bot.domain.credits import Budget
from bot.engine.clock import Clock
from bot.engine.health import HealthRegistry, ProviderHealth
from bot.engine.ledger import Ledger
from bot.images.disk_space import DiskSpace
from db.daily_figures import DayFigures, read_captured_by_day, read_day
from db.daily_reports import DailyReportRepository
from db.database import Database
from db.overview import Overview, read_overview

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyReport:
    """A day of the studio, and the studio as it is now.

    `providers` is their present health in this process. `oldest_review` is the time since which a picture waits for a
    moderator. `free_bytes` is None if unknown.
    """

    day: date
    figures: DayFigures
    overview: Overview
    budget: Budget
    forecast: BudgetForecast | None
    providers: tuple[ProviderHealth, ...]
    oldest_review: datetime | None
    free_bytes: int | None
    stored_bytes: int
    version: str


class ReportNotifier(Protocol):
    """Sends messages to the owners of the Discord application."""

    async def send_daily_report(self, report: DailyReport) -> bool:
        """Send a report; return False if it reached nobody."""
        ...


def no_reviews(connection: Connection) -> datetime | None:
    """Return None: nothing waits for a moderator."""
    del connection
    return None


class DailyReports:
    """Reports the day before to the owners, once a day from an hour on (UTC).

    The database remembers the report, so neither a restart nor another process repeats it. A report that reached nobody
    is sent again with growing pauses until the day ends. With `hour` None there is none. `find_oldest_review` returns
    the time of the oldest picture that waits for a moderator.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        notifier: ReportNotifier,
        clock: Clock,
        health: HealthRegistry,
        space: DiskSpace,
        version: str,
        hour: int | None,
        find_oldest_review: Callable[[Connection], datetime | None] = no_reviews,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._notifier = notifier
        self._clock = clock
        self._health = health
        self._space = space
        self._version = version
        self._hour = hour
        self._find_oldest_review = find_oldest_review

    async def run(self) -> None:
        """Send the due reports until cancelled."""
        while self._hour is not None:
            try:
                await self.check()
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("report.not_checked")
            await self._clock.wait(asyncio.Event(), _CHECK_SECONDS)

    async def check(self) -> None:
        """Send today's report if it is due and no process is sending it."""
        now = self._clock.now().astimezone(UTC)
        if self._hour is None or now.hour < self._hour:
            return
        if not await self._database.read(lambda connection: DailyReportRepository(connection).is_due(now)):
            return
        if not await self._database.write(lambda connection: DailyReportRepository(connection).begin(now)):
            return
        report = await self.build(now)
        if await self._notifier.send_daily_report(report):
            await self._database.write(lambda connection: DailyReportRepository(connection).record_sent(now))
        else:
            _log.warning("report.not_sent", day=report.day.isoformat())

    async def build(self, now: datetime) -> DailyReport:
        """Return the report of the day before `now`."""
        midnight = datetime.combine(now.date(), time.min, tzinfo=UTC)
        yesterday, week = midnight - timedelta(days=1), midnight - timedelta(days=PACE_DAYS)

        free = self._space.free()

        def read(connection: Connection) -> DailyReport:
            budget = self._ledger.budget(connection, now)
            spent = read_captured_by_day(connection, week, PACE_DAYS + 1)
            return DailyReport(
                day=yesterday.date(),
                figures=read_day(connection, yesterday, midnight),
                overview=read_overview(connection, now),
                budget=budget,
                forecast=budget_forecast(budget, spent, now),
                providers=self._health.list(),
                oldest_review=self._find_oldest_review(connection),
                free_bytes=free,
                stored_bytes=self._space.stored,
                version=self._version,
            )

        return await self._database.read(read, long_running=True)
