from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, text

from bot.domain.credits import RiskOutcome
from bot.domain.jobs import Job
from db.audit import audit
from db.database import Database
from db.incremental_audit import CheckpointRepository, audit_since
from tests.support.clock import START
from tests.support.factories import MEMBER
from tests.support.ledger import end, grant, hold, make_job_for, make_ledger


async def make_sound_ledger(database: Database) -> dict[str, Job]:
    """Return jobs of every kind in a sound ledger.

    Held, charged in part, charged whole, released, and across midnight. A checkpoint of the day before has another
    account.
    """
    ledger = make_ledger()
    earlier = make_job_for(member=MEMBER - 1, now=START - timedelta(days=1))

    def write_earlier(connection: Connection) -> None:
        hold(connection, ledger, earlier, START - timedelta(days=1))
        end(connection, ledger, earlier, 12, START - timedelta(days=1))
        checkpoint = audit_since(connection, START).checkpoint
        assert checkpoint is not None
        CheckpointRepository(connection).save(checkpoint)

    await database.write(write_earlier)
    tomorrow = START + timedelta(days=1)
    jobs = {
        "held": make_job_for(2),
        "part": make_job_for(4),
        "whole": make_job_for(3),
        "released": make_job_for(1),
        "late": make_job_for(1, member=MEMBER + 1),
        "of-both": make_job_for(4),
    }

    def write(connection: Connection) -> None:
        grant(connection, ledger, 500)
        for name in ("held", "part", "whole", "of-both", "released", "late"):
            hold(connection, ledger, jobs[name])
        end(connection, ledger, jobs["part"], 36)
        end(connection, ledger, jobs["whole"], 36)
        end(connection, ledger, jobs["released"], 0)
        grant(connection, ledger, 1, tomorrow, member=MEMBER + 1)
        end(connection, ledger, jobs["late"], 0, tomorrow, at_risk=12)

    await database.write(write)
    return jobs


async def tamper(database: Database, sql: str, **values: object) -> list[str]:
    """Change the database without the ledger; return the audit's findings.

    The audit of what changed since the checkpoint must find the same.
    """

    def write(connection: Connection) -> int:
        return connection.execute(text(sql), values).rowcount

    assert await incremental(database) == ([], False)
    changed = await database.write(write)
    assert changed > 0
    lines = await database.read(audit)
    assert await incremental(database) == (lines, True)
    return lines


async def incremental(database: Database) -> tuple[list[str], bool]:
    """Return the findings since the checkpoint, and True if all was read."""
    audited = await database.read(lambda connection: audit_since(connection, START + timedelta(days=1)))
    return audited.problems, audited.is_full


async def test_audit_of_sound_ledger_finds_nothing(database: Database) -> None:
    assert await database.read(audit) == []
    await make_sound_ledger(database)
    assert await database.read(audit) == []


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE accounts SET allowance = allowance + 1 WHERE member_id = 42", ["allowance is"]),
        ("UPDATE accounts SET granted = granted + 1 WHERE member_id = 42", ["granted is"]),
        ("UPDATE accounts SET held = held + 1 WHERE member_id = 42", ["held is"]),
        ("UPDATE accounts SET member_id = 77 WHERE member_id = 42", ["of member 42", "is missing"]),
        ("DELETE FROM accounts WHERE member_id = 42", ["of member 42", "is missing"]),
        ("UPDATE accounts SET period = '2026-03-13' WHERE member_id = 42", ["period is '2026-03-13'"]),
        ("UPDATE accounts SET spent = 0 WHERE member_id = 42", ["0 is spent in 2026-03-14, its jobs used 88"]),
        ("UPDATE budgets SET held = held + 1", ["budget of 2026-03"]),
        ("UPDATE budgets SET captured = captured - 1", ["budget of 2026-03"]),
        ("UPDATE budgets SET at_risk = at_risk - 1", ["budget of 2026-03"]),
        ("UPDATE risks SET amount = amount - 1", ["has 11 at risk and 0 owed, the ledger says 12 and 0", "budget"]),
        ("UPDATE risks SET outcome = 'owed'", ["has 0 at risk and 12 owed, the ledger says 12 and 0", "budget"]),
        ("UPDATE risks SET outcome = 'dropped'", ["has 0 at risk and 0 owed, the ledger says 12 and 0", "budget"]),
        ("UPDATE risks SET month = '2026-02'", ["possible cost in another month", "budget of 2026-02"]),
        ("DELETE FROM risks", ["has 0 at risk and 0 owed, the ledger says 12 and 0", "budget"]),
        ("UPDATE budgets SET month = '2026-04'", ["budget of 2026-03", "budget of 2026-04"]),
        ("DELETE FROM budgets", ["budget of 2026-03"]),
        ("UPDATE postings SET amount = amount + 1 WHERE book = 'granted'", ["not to zero", "granted is"]),
        ("UPDATE postings SET book = 'expired' WHERE book = 'earned'", ["says charged 36, the ledger says 0"]),
        ("UPDATE postings SET period = '2026-03-01' WHERE book = 'allowance'", ["allowance is"]),
        ("DELETE FROM postings WHERE book = 'held'", ["not to zero", "held is"]),
        ("DELETE FROM postings", ["has no postings"]),
        ("UPDATE movements SET member_id = 77", ["of member 77", "is missing"]),
        ("UPDATE movements SET kind = 'grant' WHERE kind = 'hold'", ["the ledger took None and None"]),
        ("UPDATE movements SET kind = 'release' WHERE kind = 'capture'", ["of kind release post into earned"]),
        ("UPDATE movements SET kind = 'take' WHERE kind = 'grant'", ["of kind take post into granted"]),
        ("UPDATE postings SET book = 'earned' WHERE book = 'issued'", ["of kind allowance post out of earned"]),
    ],
)
async def test_audit_reports_changed_accounts_budgets_and_postings(
    database: Database, sql: str, told: list[str]
) -> None:
    await make_sound_ledger(database)
    lines = await tamper(database, sql)
    assert [words for words in told if not any(words in line for line in lines)] == []


@pytest.mark.parametrize(
    ("sql", "job", "told"),
    [
        ("UPDATE jobs SET charged = charged - 1 WHERE id = :id", "whole", "says charged 35, the ledger says 36"),
        ("UPDATE jobs SET charged = NULL WHERE id = :id", "released", "says charged None, the ledger says 0"),
        ("UPDATE jobs SET charged = 1 WHERE id = :id", "held", "budget of 2026-03"),
        ("UPDATE jobs SET price = price + 1 WHERE id = :id", "held", "the price is 25"),
        ("UPDATE jobs SET state = 'failed' WHERE id = :id", "held", "is failed and its hold is not settled"),
        ("UPDATE jobs SET state = 'running' WHERE id = :id", "part", "is running and its hold is settled"),
        ("DELETE FROM holds WHERE job_id = :id", "held", "has no hold"),
        ("UPDATE holds SET granted = granted + 1 WHERE job_id = :id", "whole", "hold of job"),
        (
            "UPDATE holds SET granted = granted + 1, allowance = allowance - 1 WHERE job_id = :id",
            "part",
            "the ledger took 48 and 0",
        ),
        ("UPDATE holds SET period = '2026-03-01' WHERE job_id = :id", "held", "of the allowance of 2026-03-01"),
        ("UPDATE holds SET month = '2026-02' WHERE job_id = :id", "held", "budget of 2026-02"),
    ],
)
async def test_audit_reports_changed_charges_and_holds(database: Database, sql: str, job: str, told: str) -> None:
    jobs = await make_sound_ledger(database)
    lines = await tamper(database, sql, id=jobs[job].id)
    assert [line for line in lines if told in line] != []


async def test_audit_reports_changed_word_of_the_provider(database: Database) -> None:
    late = (await make_sound_ledger(database))["late"]
    decide = partial(make_ledger().decide_possible_costs, job=late, outcome=RiskOutcome.OWED, now=START)
    await database.write(decide)
    assert await database.read(audit) == []
    lines = await tamper(database, "UPDATE risks SET outcome = 'dropped'")
    assert f"job {late.id} has 0 at risk and 0 owed, the ledger says 0 and 12" in lines


async def test_audit_reports_missing_release_of_ended_job(database: Database) -> None:
    jobs = await make_sound_ledger(database)
    job = jobs["released"]

    def write(connection: Connection) -> None:
        of_it = "SELECT id FROM movements WHERE settles = :id"
        connection.execute(text(f"DELETE FROM postings WHERE movement_id IN ({of_it})"), {"id": job.id})  # noqa: S608 - a fixed text
        connection.execute(text("DELETE FROM movements WHERE settles = :id"), {"id": job.id})

    await database.write(write)
    lines = await database.read(audit)
    assert await incremental(database) == (lines, True)
    assert f"job {job.id} is failed and its hold is not settled" in lines
    assert [line for line in lines if "held is" in line] != []


@pytest.mark.parametrize("table", ["holds", "movements"])
async def test_audit_finds_rows_of_a_job_with_another_member(database: Database, table: str) -> None:
    """Their credits would not count in the member's period: a refill."""
    made = await make_sound_ledger(database)
    sql = f"UPDATE {table} SET member_id = 43 WHERE job_id = :id"  # noqa: S608 - a name from above
    found = await tamper(database, sql, id=made["whole"].id)
    assert f"job {made['whole'].id} is of member 42, its {table} of member 43" in "\n".join(found)
