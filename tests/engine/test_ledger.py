from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Account
from bot.domain.errors import BudgetSpentError, DuplicateInteractionError, InsufficientCreditsError
from bot.domain.jobs import Job
from bot.engine.ledger import Ledger
from db.accounts import AccountRepository
from db.audit import audit
from db.budgets import BudgetRepository
from db.database import Database
from db.tables import accounts, holds, jobs, movements
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_job
from tests.support.ledger import end, grant, hold, make_job_for, make_ledger

TOMORROW = START + timedelta(days=1)


def of_day(now: datetime, **amounts: int) -> Account:
    """Return the account as it is on a day."""
    return Account(guild_id=GUILD, member_id=MEMBER, period=now.date().isoformat(), **amounts)


async def stored(database: Database) -> Account | None:
    """Return the account as it is stored."""
    return await database.read(lambda connection: AccountRepository(connection).find(GUILD, MEMBER))


async def available(database: Database, ledger: Ledger, now: datetime = START) -> Account:
    """Return the account as it stands at a time."""
    return await database.read(lambda connection: ledger.available(connection, GUILD, MEMBER, now))


async def hold_one(database: Database, ledger: Ledger, job: Job, now: datetime = START) -> Account:
    """Hold a job in a transaction of its own."""
    return await database.write(lambda connection: hold(connection, ledger, job, now))


async def end_one(database: Database, ledger: Ledger, job: Job, charge: int, now: datetime = START) -> None:
    """Settle a job in a transaction of its own."""
    await database.write(lambda connection: end(connection, ledger, job, charge, now))


async def kinds(database: Database) -> list[str]:
    """Return the kinds of all movements, in order."""
    statement = select(movements.c.kind).order_by(movements.c.id)
    return await database.read(lambda connection: list(connection.execute(statement).scalars()))


async def rows(database: Database) -> list[int]:
    """Return how many accounts, jobs, holds and movements there are."""

    def count(connection: Connection) -> list[int]:
        tables = (accounts, jobs, holds, movements)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    return await database.read(count)


async def test_looking_writes_nothing(database: Database) -> None:
    """Who has never held anything sees today's allowance, and the database stays as it was."""
    ledger = make_ledger()
    assert await available(database, ledger) == of_day(START, allowance=100)
    assert await stored(database) is None
    await hold_one(database, ledger, make_job_for())
    before = await stored(database)
    assert await available(database, ledger, TOMORROW) == of_day(TOMORROW, allowance=100, held=12)
    assert await stored(database) == before
    assert await kinds(database) == ["allowance", "hold"]


async def test_the_allowance_is_issued_once_a_day(database: Database) -> None:
    """With the day's first hold; the next day what is left expires and a new one is issued."""
    ledger = make_ledger()
    assert await hold_one(database, ledger, make_job_for()) == of_day(START, allowance=88, held=12)
    assert await hold_one(database, ledger, make_job_for()) == of_day(START, allowance=76, held=24)
    assert await hold_one(database, ledger, make_job_for(), TOMORROW) == of_day(TOMORROW, allowance=88, held=36)
    assert await kinds(database) == ["allowance", "hold", "hold", "expire", "allowance", "hold"]
    assert await database.read(audit) == []


async def test_a_clock_set_back_issues_nothing_twice(database: Database) -> None:
    """Yesterday comes again for a moment: the allowance of today goes on being spent."""
    ledger = make_ledger()
    await hold_one(database, ledger, make_job_for(), TOMORROW)
    assert await hold_one(database, ledger, make_job_for(), START) == of_day(TOMORROW, allowance=76, held=24)
    assert await hold_one(database, ledger, make_job_for(), TOMORROW) == of_day(TOMORROW, allowance=64, held=36)
    assert await kinds(database) == ["allowance", "hold", "hold", "hold"]
    assert await database.read(audit) == []


async def test_granted_credits_outlast_the_day(database: Database) -> None:
    """They are spent after the allowance, and are still there tomorrow."""
    ledger = make_ledger()
    granted = await database.write(lambda connection: grant(connection, ledger, 30))
    assert granted == of_day(START, allowance=100, granted=30)
    assert await hold_one(database, ledger, make_job_for(4)) == of_day(START, allowance=52, granted=30, held=48)
    assert await hold_one(database, ledger, make_job_for(4)) == of_day(START, allowance=4, granted=30, held=96)
    assert await hold_one(database, ledger, make_job_for(2)) == of_day(START, granted=10, held=120)
    assert await available(database, ledger, TOMORROW) == of_day(TOMORROW, allowance=100, granted=10, held=120)
    assert await database.read(audit) == []


@pytest.mark.parametrize(("charge", "allowance"), [(0, 100), (12, 88), (48, 52)])
async def test_what_is_not_charged_comes_back(database: Database, charge: int, allowance: int) -> None:
    """Four pictures held; none, one or all of them charged."""
    ledger = make_ledger()
    job = make_job_for(4)
    await hold_one(database, ledger, job)
    await end_one(database, ledger, job, charge)
    assert await stored(database) == of_day(START, allowance=allowance)
    assert await database.read(lambda connection: BudgetRepository(connection).used("2026-03")) == charge
    assert await database.read(audit) == []


async def test_a_release_after_midnight_expires_the_day_s_part(database: Database) -> None:
    """The allowance's part is gone with its day, the granted part comes back, and the new day is whole."""
    ledger = make_ledger(allowance=10)
    job = make_job_for()
    await database.write(lambda connection: grant(connection, ledger, 50))
    assert await hold_one(database, ledger, job) == of_day(START, granted=48, held=12)
    await database.write(lambda connection: grant(connection, ledger, 1, TOMORROW))
    await end_one(database, ledger, job, 0, TOMORROW)
    assert await stored(database) == of_day(TOMORROW, allowance=10, granted=51)
    assert await database.read(audit) == []


async def test_a_release_after_midnight_that_opens_no_day_balances_too(database: Database) -> None:
    """Settling issues nothing: what returns to yesterday's allowance expires with the rest when the day opens."""
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


async def test_too_few_credits_leave_nothing(database: Database) -> None:
    """No job, no hold, not even the day's allowance: the refusal is the whole answer."""
    ledger = make_ledger(allowance=11)
    with pytest.raises(InsufficientCreditsError) as caught:
        await hold_one(database, ledger, make_job_for())
    assert (caught.value.needed, caught.value.available) == (12, 11)
    assert await rows(database) == [0, 0, 0, 0]


async def test_a_spent_budget_leaves_nothing(database: Database) -> None:
    """The operator's limit comes before the member's credits; it is renewed with the month."""
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


async def test_the_budget_is_the_last_that_is_locked(database: Database) -> None:
    """Its one row is everybody's: what comes after it would keep all other members' holds waiting."""
    ledger = make_ledger()
    job = make_job_for()

    def statements(connection: Connection, do: Callable[[Connection], object]) -> list[str]:
        heard: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *arguments: heard.append(arguments[2]))
        do(connection)
        return heard

    async def heard(do: Callable[[Connection], object]) -> list[str]:
        return [each.split(" SET ")[0] for each in await database.write(lambda connection: statements(connection, do))]

    await hold_one(database, ledger, make_job_for())  # the month's row is there from now on
    for do in (
        lambda connection: hold(connection, ledger, job),
        lambda connection: end(connection, ledger, job, 12),
    ):
        words = await heard(do)
        assert words.index("UPDATE accounts") < words.index("UPDATE budgets") == len(words) - 1


async def test_a_hold_counts_against_the_month_it_was_made_in(database: Database) -> None:
    """A job that ends after the month's end is captured in the budget that it was reserved from."""
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


async def test_a_second_delivery_of_an_interaction_holds_nothing(database: Database) -> None:
    """The job is inserted inside the hold, so that both happen or neither."""
    ledger = make_ledger()
    job = make_job_for()
    await hold_one(database, ledger, job)
    before = await rows(database)
    with pytest.raises(DuplicateInteractionError):
        await hold_one(database, ledger, make_job(place=job.place))
    assert await rows(database) == before
    assert await database.read(audit) == []


async def test_a_hold_is_settled_once(database: Database) -> None:
    """A second settlement is refused by the schema and changes nothing."""
    ledger = make_ledger()
    job, other = make_job_for(), make_job_for()
    await hold_one(database, ledger, job)
    await hold_one(database, ledger, other)  # so that `held` would not go below zero
    await end_one(database, ledger, job, 12)
    before = await stored(database)
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: ledger.settle(connection, job, 0, "again", START))
    assert await stored(database) == before
    assert await database.read(audit) == []


async def test_a_lost_reply_costs_the_member_nothing(database: Database) -> None:
    """What the operator may owe stands in the operator's own books."""
    ledger = make_ledger()
    job = make_job_for()
    await hold_one(database, ledger, job)
    await database.write(lambda connection: ledger.book_unknown_cost(connection, job, START))
    await end_one(database, ledger, job, 0)
    assert await stored(database) == of_day(START, allowance=100)
    assert await kinds(database) == ["allowance", "hold", "unknown_cost", "release"]
    assert await database.read(audit) == []
