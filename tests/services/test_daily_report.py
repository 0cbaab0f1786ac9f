"""Daily reports to the owners: figures, and each of them once."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, update
from structlog.testing import capture_logs

from bot.domain.budget_forecasts import BudgetForecast
from bot.domain.costs import Cost, CostSource, Currency, usd
from bot.domain.errors import FaultKind
from bot.domain.jobs import Outcome, State
from bot.engine.health import HealthRegistry
from bot.images.disk_space import DiskSpace
from bot.services.daily_report import DailyReport, DailyReports
from db.attempts import AttemptRepository
from db.audit_results import AuditResult, AuditResultRepository
from db.daily_figures import ProviderDay
from db.database import Database
from db.pictures import ResultImageRepository
from db.tables import jobs
from tests.support.clock import START, ManualClock
from tests.support.factories import make_attempt, make_image
from tests.support.ledger import end, grant, hold, make_job_for, make_ledger

DAY = timedelta(days=1)
CENTS = usd(Decimal("0.05"), CostSource.REPORTED)


class Owner:
    """A notifier with a list of its reports, or one that reaches nobody."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self.reports: list[DailyReport] = []
        self.tries = 0

    async def send_daily_report(self, report: DailyReport) -> bool:
        """Keep the report; other tasks run meanwhile."""
        self.tries += 1
        await asyncio.sleep(0)
        if self.reachable:
            self.reports.append(report)
        return self.reachable


def reports_of(database: Database, owner: Owner, clock: ManualClock, hour: int | None = 9) -> DailyReports:
    """Return the reports of a fresh process."""
    return DailyReports(
        database=database,
        ledger=make_ledger(budget=200),
        notifier=owner,
        clock=clock,
        health=HealthRegistry(("skillboss",)),
        space=DiskSpace(),
        version="1.2.3",
        hour=hour,
    )


async def add_ended_job(
    database: Database,
    at: datetime,
    *,
    images: int = 1,
    charge: int = 0,
    fault: FaultKind | None = None,
    cost: Cost | None = None,
    provider: str = "skillboss",
    state: State | None = None,
) -> None:
    """Add a job with one call, ended at a time."""
    ledger, job = make_ledger(budget=200), make_job_for(images, now=at)

    def write(connection: Connection) -> None:
        grant(connection, ledger, 500, at)
        hold(connection, ledger, job, at)
        attempts, attempt = AttemptRepository(connection), make_attempt(job, provider=provider)
        attempts.add_all([attempt])
        attempts.end_call(attempt, Outcome.COMPLETED if charge else Outcome.FAILED, at, cost=cost, fault=fault)
        if charge:
            ResultImageRepository(connection).add_all([make_image(job, position=each) for each in range(images)], at)
        end(connection, ledger, job, charge, at)
        changes = {"fault": fault} | ({"state": state} if state else {})
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(**changes))

    await database.write(write)


async def begin_series(database: Database, clock: ManualClock) -> None:
    """Let the first day pass without a report."""
    await reports_of(database, Owner(), clock).check()
    clock.advance(DAY.total_seconds())


async def test_report_has_the_figures_of_the_day_before(database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    await begin_series(database, clock)
    midnight = START.replace(hour=0, minute=0, second=0)
    await add_ended_job(database, midnight - timedelta(seconds=1), charge=12)  # the day before
    await add_ended_job(database, midnight, images=2, charge=24, cost=CENTS)
    await add_ended_job(database, midnight + DAY - timedelta(seconds=1), charge=12, cost=CENTS, provider="fal")
    await add_ended_job(database, START, charge=12)
    await add_ended_job(database, START, fault=FaultKind.SERVER_ERROR, provider="fal")
    await add_ended_job(database, START, fault=FaultKind.CONTENT)
    await add_ended_job(database, START, state=State.CANCELLED)
    await add_ended_job(database, midnight + DAY, charge=12)  # today
    result = AuditResult(at=START, problems=0)
    await database.write(lambda connection: AuditResultRepository(connection).save(result))
    await reports_of(database, owner, clock).check()
    (report,) = owner.reports
    figures = report.figures
    assert report.day == date(2026, 3, 14)
    assert figures.ended == {State.DONE: 3, State.FAILED: 2, State.CANCELLED: 1}
    assert figures.success_rate == 0.6
    assert figures.faults == {FaultKind.SERVER_ERROR: 1, FaultKind.CONTENT: 1}
    assert (figures.pictures, figures.captured) == (4, 48)
    assert figures.costs == {Currency.USD: Decimal("0.1")}
    assert figures.unpriced == 1
    assert figures.providers == (ProviderDay(provider="fal", calls=2, faults={FaultKind.SERVER_ERROR: 1}),)
    assert report.budget.captured == 72
    # 72 credits in 2.4 days are 30 a day, so that the other 128 last 4.2 days.
    assert report.forecast == BudgetForecast(a_day=30, ends_on=date(2026, 3, 19))
    assert report.overview.audit == result


async def test_day_without_jobs_has_no_rate(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    await begin_series(sqlite_database, clock)
    await reports_of(sqlite_database, owner, clock).check()
    (report,) = owner.reports
    assert report.figures.success_rate is None
    assert report.forecast is None


async def test_report_is_sent_once_by_many_processes_and_restarts(database: Database, other: Database) -> None:
    clock, owner = ManualClock(), Owner()
    await begin_series(database, clock)
    processes = [reports_of(each, owner, clock) for each in (database, other) for _ in range(4)]
    await asyncio.gather(*(each.check() for each in processes))
    for _ in range(2):
        clock.advance(3600)
        await reports_of(database, owner, clock).check()
    assert [report.day for report in owner.reports] == [date(2026, 3, 14)]
    clock.advance(DAY.total_seconds())
    await asyncio.gather(*(each.check() for each in processes))
    assert [report.day for report in owner.reports] == [date(2026, 3, 14), date(2026, 3, 15)]


async def test_first_day_has_no_report(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    for _ in range(3):
        await reports_of(sqlite_database, owner, clock).check()
        clock.advance(3600)
    assert owner.tries == 0


async def test_report_waits_for_its_hour(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    await begin_series(sqlite_database, clock)
    clock.set_now(datetime(2026, 3, 16, 8, 59, 59, tzinfo=UTC))
    await reports_of(sqlite_database, owner, clock).check()
    assert owner.reports == []
    clock.advance(1)
    await reports_of(sqlite_database, owner, clock, hour=None).check()
    assert owner.reports == []
    await reports_of(sqlite_database, owner, clock).check()
    assert [report.day for report in owner.reports] == [date(2026, 3, 15)]


async def test_clock_set_back_repeats_no_report(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    await begin_series(sqlite_database, clock)
    await reports_of(sqlite_database, owner, clock).check()
    for at in (START, START + DAY + timedelta(hours=1)):
        clock.set_now(at)
        await reports_of(sqlite_database, owner, clock).check()
    assert len(owner.reports) == 1


async def test_unreachable_owner_is_tried_with_growing_pauses_until_midnight(sqlite_database: Database) -> None:
    clock, owner = ManualClock(datetime(2026, 3, 14, 9, tzinfo=UTC)), Owner(reachable=False)
    await begin_series(sqlite_database, clock)
    tried: list[float] = []
    with capture_logs() as logs:
        while clock.now() < datetime(2026, 3, 16, tzinfo=UTC):
            before = owner.tries
            await reports_of(sqlite_database, owner, clock).check()
            if owner.tries > before:
                tried.append((clock.now() - datetime(2026, 3, 15, 9, tzinfo=UTC)) / timedelta(minutes=1))
            clock.advance(60)
    assert tried == [0, 2, 6, 14, 30, *range(62, 900, 60)]
    assert [entry["event"] for entry in logs].count("report.not_sent") == len(tried)
    owner.reachable = True
    clock.set_now(datetime(2026, 3, 16, 9, tzinfo=UTC))
    await reports_of(sqlite_database, owner, clock).check()
    assert [report.day for report in owner.reports] == [date(2026, 3, 15)]


async def test_process_killed_while_sending_leaves_the_report_to_the_next(sqlite_database: Database) -> None:
    """The repetition comes while Discord still knows the message's nonce."""
    clock, owner = ManualClock(), Owner()
    await begin_series(sqlite_database, clock)

    class Killed(Owner):
        async def send_daily_report(self, report: DailyReport) -> bool:
            del report
            raise asyncio.CancelledError

    killed = asyncio.create_task(reports_of(sqlite_database, Killed(), clock).check())
    await asyncio.wait({killed})
    await reports_of(sqlite_database, owner, clock).check()
    assert owner.reports == []
    clock.advance(120)
    await reports_of(sqlite_database, owner, clock).check()
    assert len(owner.reports) == 1


async def test_oldest_review_is_asked_of_its_source(sqlite_database: Database) -> None:
    clock, owner = ManualClock(), Owner()
    reports = reports_of(sqlite_database, owner, clock)
    reports._find_oldest_review = lambda _: START
    await begin_series(sqlite_database, clock)
    await reports.check()
    assert owner.reports[0].oldest_review == START
