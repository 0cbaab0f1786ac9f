"""The numbers of the whole studio, as each process reads them."""

from datetime import timedelta

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from bot.domain.pauses import Pause, PauseScope
from bot.monitoring.studio_collector import StudioCollector
from db import overview
from db.audit_results import AuditResult, AuditResultRepository
from db.database import Database
from db.pauses import PauseRepository
from db.workers import WorkerRepository
from tests.support.clock import START, ManualClock
from tests.support.ledger import hold, make_job_for, make_ledger


def collector_of(database: Database, clock: ManualClock) -> tuple[StudioCollector, CollectorRegistry]:
    """Return a process's collector, in a registry."""
    registry = CollectorRegistry()
    collector = StudioCollector(database=database, ledger=make_ledger(budget=120), clock=clock, cheapest=12)
    registry.register(collector)
    return collector, registry


async def test_two_processes_read_the_same_numbers(database: Database, other: Database) -> None:
    clock, ledger, job = ManualClock(), make_ledger(budget=120), make_job_for(2, now=START)
    await database.write(lambda connection: hold(connection, ledger, job, START))
    await database.write(
        lambda connection: [
            WorkerRepository(connection).renew(worker * 32, START, START + timedelta(seconds=seconds))
            for worker, seconds in (("a", 60), ("b", 60), ("c", 5))
        ]
    )
    result = AuditResult(at=START, problems=3)
    await database.write(lambda connection: AuditResultRepository(connection).save(result))
    pause = Pause(scope=PauseScope.PROVIDER, name="skillboss", reason="", actor_id=0, at=START)
    await database.write(lambda connection: PauseRepository(connection).begin(pause))
    clock.advance(30)
    for each in (database, other):
        collector, registry = collector_of(each, clock)
        await collector.refresh()
        assert registry.get_sample_value("atelier_jobs", {"state": "held"}) == 1
        assert registry.get_sample_value("atelier_jobs", {"state": "running"}) == 0
        assert registry.get_sample_value("atelier_queue_oldest_age_seconds") == 30
        assert registry.get_sample_value("atelier_workers") == 2
        assert registry.get_sample_value("atelier_pauses", {"scope": "provider"}) == 1
        assert registry.get_sample_value("atelier_pauses", {"scope": "all"}) == 0
        assert registry.get_sample_value("atelier_budget_held_credits") == 24
        assert registry.get_sample_value("atelier_budget_left_credits") == 96
        assert registry.get_sample_value("atelier_audit_problems") == 3
        assert registry.get_sample_value("atelier_audit_timestamp_seconds") == START.timestamp()


async def test_scrapes_within_two_seconds_share_one_reading(sqlite_database: Database) -> None:
    clock, reads = ManualClock(), list[str]()
    sqlite_database.time_transactions(lambda kind, _: reads.append(kind))
    collector, _ = collector_of(sqlite_database, clock)
    for pause in (0.0, 1.9, 0.1):
        clock.advance(pause)
        await collector.refresh()
    assert reads == ["read", "read"]


async def test_reading_takes_only_indexes_of_unfinished_jobs(sqlite_database: Database) -> None:
    """A scrape must not read all jobs of all time."""

    def explain(connection: Connection) -> list[str]:
        queries = [str(each.compile(dialect=connection.dialect)) for each in (overview._LIVE, overview._UNDELIVERED)]
        return [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").one().detail for query in queries]

    live, undelivered = await sqlite_database.read(explain)
    assert "ix_jobs_live" in live
    assert "ix_jobs_undelivered" in undelivered


async def test_lost_database_leaves_no_stale_numbers(sqlite_database: Database) -> None:
    clock = ManualClock()
    collector, registry = collector_of(sqlite_database, clock)
    await collector.refresh()
    assert registry.get_sample_value("atelier_database_up") == 1
    assert registry.get_sample_value("atelier_audit_problems") is None
    await sqlite_database.write(lambda connection: connection.exec_driver_sql("DROP TABLE workers"))
    clock.advance(60)
    await collector.refresh()
    assert registry.get_sample_value("atelier_database_up") == 0
    assert registry.get_sample_value("atelier_budget_left_credits") is None
    assert registry.get_sample_value("atelier_jobs", {"state": "held"}) is None
