import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Account, RiskOutcome
from bot.domain.errors import BudgetSpentError, DuplicateInteractionError, FaultKind, InsufficientCreditsError
from bot.domain.jobs import Job
from bot.engine.ledger import Ledger
from bot.engine.settlements import Settlement, settle
from db.accounts import AccountRepository
from db.audit import audit
from db.budgets import BudgetRepository
from db.database import Database
from db.tables import accounts, holds, jobs, movements
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_job
from tests.support.ledger import end, ending, grant, hold, make_job_for, make_ledger

TOMORROW = START + timedelta(days=1)


def of_day(now: datetime, *, allowance: int = 0, issued: int = 100, **amounts: int) -> Account:
    """Return the account of a day, its allowance spent but for the rest."""
    return Account(
        guild_id=GUILD,
        member_id=MEMBER,
        period=now.date().isoformat(),
        allowance=allowance,
        issued=issued,
        spent=issued - allowance,
        **amounts,
    )


async def stored(database: Database) -> Account | None:
    """Return the stored account."""
    return await database.read(lambda connection: AccountRepository(connection).find(GUILD, MEMBER))


async def available(database: Database, ledger: Ledger, now: datetime = START) -> Account:
    """Return the account at a time."""
    return await database.read(lambda connection: ledger.available(connection, GUILD, MEMBER, now))


async def hold_one(database: Database, ledger: Ledger, job: Job, now: datetime = START) -> Account:
    """Hold a job in a separate transaction."""
    return await database.write(lambda connection: hold(connection, ledger, job, now))


async def end_one(database: Database, ledger: Ledger, job: Job, charge: int, now: datetime = START) -> None:
    """Settle a job in a separate transaction."""
    await database.write(lambda connection: end(connection, ledger, job, charge, now))


async def kinds(database: Database) -> list[str]:
    """Return the kinds of all movements, in order."""
    statement = select(movements.c.kind).order_by(movements.c.id)
    return await database.read(lambda connection: list(connection.execute(statement).scalars()))


async def rows(database: Database) -> list[int]:
    """Return the numbers of accounts, jobs, holds and movements."""

    def count(connection: Connection) -> list[int]:
        tables = (accounts, jobs, holds, movements)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    return await database.read(count)


async def test_balance_of_new_member_writes_nothing(database: Database) -> None:
    ledger = make_ledger()
    assert await available(database, ledger) == of_day(START, allowance=100)
    assert await stored(database) is None
    await hold_one(database, ledger, make_job_for())
    before = await stored(database)
    assert await available(database, ledger, TOMORROW) == of_day(TOMORROW, allowance=100, held=12)
    assert await stored(database) == before
    assert await kinds(database) == ["allowance", "hold"]


async def test_allowance_is_issued_with_first_hold_of_day(database: Database) -> None:
    # The rest of yesterday's allowance expires.
    ledger = make_ledger()
    assert await hold_one(database, ledger, make_job_for()) == of_day(START, allowance=88, held=12)
    assert await hold_one(database, ledger, make_job_for()) == of_day(START, allowance=76, held=24)
    assert await hold_one(database, ledger, make_job_for(), TOMORROW) == of_day(TOMORROW, allowance=88, held=36)
    assert await kinds(database) == ["allowance", "hold", "hold", "expire", "allowance", "hold"]
    assert await database.read(audit) == []


async def test_clock_set_back_issues_no_second_allowance(database: Database) -> None:
    ledger = make_ledger()
    await hold_one(database, ledger, make_job_for(), TOMORROW)
    assert await hold_one(database, ledger, make_job_for(), START) == of_day(TOMORROW, allowance=76, held=24)
    assert await hold_one(database, ledger, make_job_for(), TOMORROW) == of_day(TOMORROW, allowance=64, held=36)
    assert await kinds(database) == ["allowance", "hold", "hold", "hold"]
    assert await database.read(audit) == []


async def test_granted_credits_are_spent_last_and_kept_overnight(database: Database) -> None:
    ledger = make_ledger()
    granted = await database.write(lambda connection: grant(connection, ledger, 30))
    assert granted == Account(guild_id=GUILD, member_id=MEMBER, granted=30)
    assert await hold_one(database, ledger, make_job_for(4)) == of_day(START, allowance=52, granted=30, held=48)
    assert await hold_one(database, ledger, make_job_for(4)) == of_day(START, allowance=4, granted=30, held=96)
    assert await hold_one(database, ledger, make_job_for(2)) == of_day(START, granted=10, held=120)
    assert await available(database, ledger, TOMORROW) == of_day(TOMORROW, allowance=100, granted=10, held=120)
    assert await database.read(audit) == []


@pytest.mark.parametrize(("charge", "allowance"), [(0, 100), (12, 88), (48, 52)])
async def test_uncharged_part_of_hold_is_released(database: Database, charge: int, allowance: int) -> None:
    # Four images are held; none, one or all are charged.
    ledger = make_ledger()
    job = make_job_for(4)
    await hold_one(database, ledger, job)
    await end_one(database, ledger, job, charge)
    assert await stored(database) == of_day(START, allowance=allowance)
    assert await database.read(lambda connection: BudgetRepository(connection).used("2026-03")) == charge
    assert await database.read(audit) == []


async def test_release_after_midnight_expires_allowance_part(database: Database) -> None:
    # The granted part comes back, and the new day is whole.
    ledger = make_ledger(allowance=10)
    job = make_job_for()
    await database.write(lambda connection: grant(connection, ledger, 50))
    assert await hold_one(database, ledger, job) == of_day(START, granted=48, held=12, issued=10)
    await hold_one(database, ledger, make_job_for(now=TOMORROW), TOMORROW)
    await end_one(database, ledger, job, 0, TOMORROW)
    assert await stored(database) == of_day(TOMORROW, granted=48, held=12, issued=10)
    assert await database.read(audit) == []


async def test_release_after_midnight_without_new_hold_balances(database: Database) -> None:
    # A settlement issues no allowance; the released part expires with the first hold of the day.
    ledger = make_ledger()
    job = make_job_for()
    await hold_one(database, ledger, job)
    await end_one(database, ledger, job, 0, TOMORROW)
    assert await stored(database) == of_day(START, allowance=100)
    assert await available(database, ledger, TOMORROW) == of_day(TOMORROW, allowance=100)
    assert await database.read(audit) == []
    await hold_one(database, ledger, make_job_for(), TOMORROW)
    assert await stored(database) == of_day(TOMORROW, allowance=88, held=12)
    assert await database.read(audit) == []


async def test_hold_with_too_few_credits_writes_nothing(database: Database) -> None:
    # Not even the day's allowance.
    ledger = make_ledger(allowance=11)
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, make_job_for())
    assert (caught.value.needed, caught.value.available) == (12, 11)
    assert await rows(database) == [0, 0, 0, 0]


async def test_hold_with_spent_budget_writes_nothing(database: Database) -> None:
    # The budget is renewed with the month.
    ledger = make_ledger(budget=23)
    job = make_job_for()
    await hold_one(database, ledger, job)
    before = await rows(database)
    with pytest.raises(BudgetSpentError) as caught:
        await hold_one(database, ledger, make_job_for())
    assert caught.value.renews_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert await rows(database) == before
    assert await database.read(audit) == []

    await end_one(database, ledger, job, 0)
    await hold_one(database, ledger, make_job_for())
    await hold_one(database, ledger, make_job_for(), datetime(2026, 4, 1, tzinfo=UTC))
    assert await database.read(audit) == []


async def test_hold_locks_budget_last(database: Database) -> None:
    # Its row is shared: any work after it would block the holds of all members.
    ledger = make_ledger()
    job = make_job_for()

    def record(connection: Connection, do: Callable[[Connection], object]) -> list[str]:
        statements: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
        do(connection)
        return statements

    async def execute(do: Callable[[Connection], object]) -> list[str]:
        return [each.split(" SET ")[0] for each in await database.write(lambda connection: record(connection, do))]

    await hold_one(database, ledger, make_job_for())  # the month's row exists from now on
    for do in (
        lambda connection: hold(connection, ledger, job),
        lambda connection: end(connection, ledger, job, 12),
    ):
        executed = await execute(do)
        last = len(executed) - 1
        assert executed.index("UPDATE accounts") < executed.index("UPDATE budgets") == last - 1
        assert executed[last] == "UPDATE budgets"


async def test_hold_settled_next_month_counts_for_its_own_month(database: Database) -> None:
    ledger = make_ledger()
    march, april = datetime(2026, 3, 31, 23, 59, tzinfo=UTC), datetime(2026, 4, 1, 0, 1, tzinfo=UTC)
    job = make_job_for(now=march)
    await hold_one(database, ledger, job, march)
    await end_one(database, ledger, job, 12, april)

    def used(connection: Connection) -> tuple[int, int]:
        budgets = BudgetRepository(connection)
        return budgets.used("2026-03"), budgets.used("2026-04")

    assert await database.read(used) == (12, 0)
    assert await database.read(audit) == []


async def test_second_hold_for_interaction_writes_nothing(database: Database) -> None:
    # The job is inserted inside the hold, so that both happen or neither.
    ledger = make_ledger()
    job = make_job_for()
    await hold_one(database, ledger, job)
    before = await rows(database)
    with pytest.raises(DuplicateInteractionError):
        await hold_one(database, ledger, make_job(place=job.place))
    assert await rows(database) == before
    assert await database.read(audit) == []


async def test_second_settlement_is_rejected_by_schema(database: Database) -> None:
    ledger = make_ledger()
    job, other = make_job_for(), make_job_for()
    await hold_one(database, ledger, job)
    await hold_one(database, ledger, other)  # so that `held` stays above zero
    await end_one(database, ledger, job, 12)
    before = await stored(database)
    again = Settlement(job=job, charge=0, reason="again", at=START)
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: settle(ledger, connection, again))
    assert await stored(database) == before
    assert await database.read(audit) == []


async def test_possible_cost_stays_in_budget_and_goes_back_to_member(database: Database) -> None:
    ledger = make_ledger()
    job = make_job_for()
    await hold_one(database, ledger, job)
    await database.write(lambda connection: end(connection, ledger, job, 0, at_risk=12))
    assert await stored(database) == of_day(START, allowance=100)
    assert await kinds(database) == ["allowance", "hold", "release", "unknown_cost"]
    assert await read_budget(database, ledger) == (0, 0, 12)
    assert await database.read(audit) == []


@pytest.mark.parametrize(("outcome", "parts"), [(RiskOutcome.OWED, (0, 12, 0)), (RiskOutcome.DROPPED, (0, 0, 0))])
async def test_possible_cost_is_decided_once(
    database: Database, outcome: RiskOutcome, parts: tuple[int, int, int]
) -> None:
    ledger = make_ledger()
    job = make_job_for()
    await hold_one(database, ledger, job)
    await database.write(lambda connection: end(connection, ledger, job, 0, at_risk=12))
    for each in (outcome, *RiskOutcome):
        await database.write(partial(ledger.decide_possible_costs, job=job, outcome=each, now=START))
    assert await read_budget(database, ledger) == parts
    assert (await kinds(database))[4:] == [f"risk_{outcome}"]
    assert await database.read(audit) == []


async def test_possible_costs_decided_by_two_processes_at_a_time_count_once(
    database: Database, other: Database
) -> None:
    ledger = make_ledger()
    ended = [make_job_for() for _ in range(4)]
    for job in ended:
        await hold_one(database, ledger, job)
        await database.write(ending(ledger, job, at_risk=12))
    for job in ended:
        decide = partial(ledger.decide_possible_costs, job=job, outcome=RiskOutcome.OWED, now=START)
        await asyncio.gather(database.write(decide), other.write(decide))
    assert await read_budget(database, ledger) == (0, 48, 0)
    assert (await kinds(database)).count("risk_owed") == 4
    assert await database.read(audit) == []


async def test_budget_refuses_hold_above_what_may_be_owed(database: Database) -> None:
    ledger = make_ledger(budget=36)
    for at_risk in (12, 12, 0):
        job = make_job_for()
        await hold_one(database, ledger, job)
        await database.write(ending(ledger, job, at_risk=at_risk))
    last = make_job_for()
    await hold_one(database, ledger, last)
    before = await stored(database)
    with pytest.raises(BudgetSpentError):
        await hold_one(database, ledger, make_job_for())
    assert await stored(database) == before
    assert await read_budget(database, ledger) == (12, 0, 24)
    assert await database.read(audit) == []


async def test_possible_cost_of_hold_counts_for_the_month_of_the_hold(database: Database) -> None:
    ledger = make_ledger()
    last_day = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    job = make_job_for(now=last_day)
    await hold_one(database, ledger, job, last_day)
    later = last_day + timedelta(hours=1)
    await database.write(lambda connection: end(connection, ledger, job, 0, later, at_risk=12))
    assert await read_budget(database, ledger, last_day) == (0, 0, 12)
    assert await read_budget(database, ledger, later) == (0, 0, 0)
    decided = later + timedelta(days=40)
    owed = RiskOutcome.OWED
    await database.write(lambda connection: ledger.decide_possible_costs(connection, job, owed, decided))
    assert await read_budget(database, ledger, last_day) == (0, 12, 0)
    assert await database.read(audit) == []


async def test_member_has_two_free_repeats_a_day(database: Database) -> None:
    ledger = make_ledger()
    free = []
    for hours in (0, 1, 2, 24, 25, 26):
        now = START + timedelta(hours=hours)
        free.append(await database.read(partial(ledger.has_free_repeat, member_id=MEMBER, now=now)))
        if free[-1]:
            job = make_job_for(now=now)
            await hold_one(database, ledger, job, now)
            await database.write(ending(ledger, job, now, at_risk=12))
    assert free == [True, True, False, True, True, False]
    assert await database.read(lambda each: ledger.has_free_repeat(each, MEMBER + 1, START + timedelta(hours=2)))


async def test_only_lost_replies_use_up_free_repeats(sqlite_database: Database) -> None:
    ledger = make_ledger()
    for cause in (FaultKind.NO_PICTURES, FaultKind.DEADLINE, FaultKind.REPLY_LOST):
        job = make_job_for()
        await hold_one(sqlite_database, ledger, job)
        await sqlite_database.write(partial(end, ledger=ledger, job=job, charge=0, at_risk=12, cause=cause))
    assert await sqlite_database.read(partial(ledger.has_free_repeat, member_id=MEMBER, now=START))


async def read_budget(database: Database, ledger: Ledger, now: datetime = START) -> tuple[int, int, int]:
    """Return the month's credits held, captured and at risk."""
    budget = await database.read(lambda connection: ledger.budget(connection, now))
    return budget.held, budget.captured, budget.at_risk


async def test_shortage_counts_granted_credits_in_open_holds(database: Database) -> None:
    """Held granted credits may return; those of settled jobs are gone."""
    ledger = make_ledger(allowance=10)
    await database.write(lambda connection: grant(connection, ledger, 30))
    job = make_job_for()
    await hold_one(database, ledger, job)
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, replace(make_job_for(), price=41))
    error = caught.value
    assert (error.available, error.allowance, error.granted, error.exceeds_any_period) == (28, 10, 30, True)
    await end_one(database, ledger, job, 12)
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, replace(make_job_for(), price=38))
    assert (caught.value.granted, caught.value.exceeds_any_period) == (28, False)
