from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from bot.domain.jobs import Job
from db import incremental_audit
from db.audit import audit
from db.database import Database
from db.deletions import DeletionRepository
from db.incremental_audit import FULL_INTERVAL, Audited, CheckpointRepository, audit_since
from tests.support.clock import START
from tests.support.factories import MEMBER
from tests.support.ledger import end, grant, hold, make_job_for, make_ledger

DAY = timedelta(days=1)
LEDGER = make_ledger()


async def spend(database: Database, *members: int, at: datetime = START) -> list[Job]:
    """Return one charged job of each member."""
    jobs = [make_job_for(member=member, now=at) for member in members]

    def write(connection: Connection) -> None:
        for job in jobs:
            hold(connection, LEDGER, job, at)
            end(connection, LEDGER, job, 12, at)

    await database.write(write)
    return jobs


async def run(database: Database, now: datetime) -> Audited:
    """Audit the changes and store the checkpoint, as the bot does."""
    audited = await database.read(lambda connection: audit_since(connection, now))
    checkpoint = audited.checkpoint
    if checkpoint is not None:
        await database.write(lambda connection: CheckpointRepository(connection).save(checkpoint))
    return audited


async def execute(database: Database, sql: str, **values: object) -> None:
    """Change rows."""
    assert (await database.write(lambda connection: connection.execute(text(sql), values).rowcount)) > 0


async def test_first_audit_reads_everything_and_the_next_what_changed(database: Database) -> None:
    await spend(database, MEMBER)
    found = [await run(database, START + DAY)]
    found.append(await run(database, START + 2 * DAY))
    await spend(database, MEMBER, MEMBER + 1, at=START + 2 * DAY)
    found.append(await run(database, START + 3 * DAY))
    assert [(each.problems, each.is_full) for each in found] == [([], True), ([], False), ([], False)]


async def test_movements_of_the_margin_are_counted_once(database: Database) -> None:
    """A movement from just before a checkpoint is in the next window too."""
    await spend(database, MEMBER)
    for hours in (0.5, 1.5, 2.5):
        await spend(database, MEMBER, at=START + timedelta(hours=hours - 0.1))
        found = await run(database, START + timedelta(hours=hours))
        assert (found.problems, found.is_full) == ([], hours == 0.5)


async def test_everything_is_read_after_a_week(database: Database) -> None:
    await spend(database, MEMBER)
    found = [(await run(database, START + DAY + each)).is_full for each in (0 * DAY, DAY, FULL_INTERVAL)]
    assert found == [True, False, True]
    # The interval begins again.
    assert not (await run(database, START + 2 * DAY + FULL_INTERVAL)).is_full


async def test_everything_is_read_if_the_clock_went_back(database: Database) -> None:
    await spend(database, MEMBER)
    await run(database, START + DAY)
    assert (await run(database, START)).is_full


async def test_old_rows_of_an_idle_account_are_read_after_a_week(database: Database) -> None:
    """The incremental audit cannot see such a change."""
    await spend(database, MEMBER, MEMBER + 1)
    await run(database, START + DAY)
    await spend(database, MEMBER + 1, at=START + DAY)
    await execute(
        database,
        "UPDATE postings SET book = 'expired' WHERE book = 'earned' AND movement_id IN"
        " (SELECT id FROM movements WHERE member_id = :member)",
        member=MEMBER,
    )
    found = await run(database, START + 2 * DAY)
    assert (found.problems, found.is_full) == ([], False)
    full = await database.read(audit)
    assert any("says charged 12, the ledger says 0" in line for line in full)
    assert (await run(database, START + DAY + FULL_INTERVAL)).problems == full


async def test_old_rows_of_an_active_account_are_found(database: Database) -> None:
    (job,) = await spend(database, MEMBER)
    await run(database, START + DAY)
    await execute(database, "UPDATE jobs SET charged = 11 WHERE id = :id", id=job.id)
    assert (await run(database, START + 2 * DAY)).problems == []
    await spend(database, MEMBER, at=START + 2 * DAY)
    assert f"job {job.id} says charged 11, the ledger says 12" in (await run(database, START + 3 * DAY)).problems


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE accounts SET granted = granted + 1 WHERE member_id = 42", "granted is"),
        ("UPDATE accounts SET allowance = allowance - 1, granted = granted + 1 WHERE member_id = 42", "granted is"),
        ("UPDATE accounts SET spent = 0 WHERE member_id = 42", "0 is spent"),
        ("UPDATE accounts SET period = '2026-03-01' WHERE member_id = 42", "period is"),
        ("UPDATE accounts SET member_id = 77 WHERE member_id = 42", "is missing"),
        ("DELETE FROM accounts WHERE member_id = 42", "is missing"),
        ("DELETE FROM budgets WHERE community_id = 0", "budget of"),
        ("UPDATE budgets SET captured = captured + 1", "budget of"),
    ],
)
async def test_changed_row_of_an_idle_account_is_found(database: Database, sql: str, told: str) -> None:
    """Accounts and budgets are compared row by row."""
    await spend(database, MEMBER)
    await run(database, START + DAY)
    await execute(database, sql)
    found = await run(database, START + 2 * DAY)
    assert any(told in line for line in found.problems)
    # It stays found: a checkpoint needs a sound ledger.
    assert (await run(database, START + 3 * DAY)).problems == found.problems


async def test_deleted_member_is_no_fault(database: Database) -> None:
    await spend(database, MEMBER, MEMBER + 1)
    await run(database, START + DAY)
    await database.write(lambda connection: DeletionRepository(connection)._rename(MEMBER, -5))
    found = await run(database, START + 2 * DAY)
    assert (found.problems, found.is_full) == ([], False)


async def test_everything_is_read_if_most_accounts_changed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await spend(database, *range(1, 5))
    await run(database, START + DAY)
    monkeypatch.setattr(incremental_audit, "MOST_CHANGED", 2)
    await spend(database, 1, 2, at=START + DAY)
    assert not (await run(database, START + 2 * DAY)).is_full
    await spend(database, 1, 2, 3, at=START + 3 * DAY)
    assert (await run(database, START + 4 * DAY)).is_full


async def test_accounts_are_checked_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental_audit, "_AT_ONCE", 2)
    await spend(database, *range(1, 6))
    await run(database, START + DAY)
    jobs = await spend(database, *range(1, 6), at=START + DAY)
    assert not (await run(database, START + DAY)).is_full
    await execute(database, "UPDATE jobs SET price = price + 1 WHERE id = :id", id=jobs[4].id)
    assert any(jobs[4].id in line for line in (await run(database, START + 2 * DAY)).problems)


async def test_possible_costs_and_grants_are_counted(database: Database) -> None:
    await spend(database, MEMBER)
    await run(database, START + DAY)
    job = make_job_for(now=START + DAY)

    def write(connection: Connection) -> None:
        grant(connection, LEDGER, 5, START + DAY)
        hold(connection, LEDGER, job, START + DAY)
        end(connection, LEDGER, job, 0, START + DAY, at_risk=12)

    await database.write(write)
    found = await run(database, START + 2 * DAY)
    assert (found.problems, found.is_full) == ([], False)


async def test_incremental_audit_scans_no_rows_of_the_ledger(sqlite_database: Database) -> None:
    """Only accounts and budgets are read whole."""
    await spend(sqlite_database, MEMBER, MEMBER + 1)
    await run(sqlite_database, START + DAY)
    await spend(sqlite_database, MEMBER, at=START + DAY)
    lines = await sqlite_database.read(_plans)
    # Backwards by id, up to the first movement from before the margin.
    lines.remove("SCAN movements USING INDEX sqlite_autoindex_movements_1")
    scanned = {line.split()[1] for line in lines if line.startswith("SCAN")}
    assert scanned & {"movements", "postings", "jobs", "holds", "risks"} == set()


def _plans(connection: Connection) -> list[str]:
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, ___: object, ____: object) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    assert not audit_since(connection, START + DAY).is_full
    event.remove(connection, "before_cursor_execute", note)
    return [
        row[3]
        for statement, parameters in asked
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]
