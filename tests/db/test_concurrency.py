import asyncio
from collections import Counter
from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Account
from bot.domain.errors import BudgetSpentError, DuplicateInteractionError, InsufficientCreditsError
from bot.domain.jobs import Job
from bot.engine.ledger import Ledger
from bot.engine.settlements import Settlement, settle
from db.accounts import AccountRepository
from db.audit import audit
from db.budgets import BudgetRepository
from db.database import Database
from db.jobs import JobRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_job
from tests.support.ledger import end, ending, hold, make_job_for, make_ledger


async def outcomes(databases: tuple[Database, ...], writes: list[Callable[[Connection], object]]) -> Counter[str]:
    """Run all writes at once on several databases and count the outcomes."""
    results = await asyncio.gather(
        *(databases[number % len(databases)].write(write) for number, write in enumerate(writes)),
        return_exceptions=True,
    )
    return Counter(type(result).__name__ if isinstance(result, BaseException) else "done" for result in results)


def holding(ledger: Ledger, job: Job) -> Callable[[Connection], object]:
    """Return the transaction of a hold."""
    return lambda connection: hold(connection, ledger, job)


async def account(database: Database, member: int = MEMBER) -> Account | None:
    """Return a member's account."""
    return await database.read(lambda connection: AccountRepository(connection).find(GUILD, member))


async def test_concurrent_holds_never_exceed_the_balance(database: Database, other: Database) -> None:
    """Of fifty holds in two processes on a balance for ten, ten succeed."""
    ledger = make_ledger(allowance=125)
    went = await outcomes((database, other), [holding(ledger, make_job_for()) for _ in range(50)])
    assert went == {"done": 10, InsufficientCreditsError.__name__: 40}
    left = await account(database)
    assert left is not None
    assert (left.allowance, left.held) == (5, 120)
    assert await database.read(audit) == []


async def test_concurrent_holds_never_exceed_the_budget(database: Database, other: Database) -> None:
    """Of fifty holds in two processes on a budget for ten, ten succeed."""
    ledger = make_ledger(budget=125)
    jobs = [make_job_for(member=MEMBER + number) for number in range(50)]
    went = await outcomes((database, other), [holding(ledger, job) for job in jobs])
    assert went == {"done": 10, BudgetSpentError.__name__: 40}
    assert await database.read(lambda connection: BudgetRepository(connection).used("2026-03")) == 120
    assert await database.read(audit) == []


async def test_concurrent_holds_and_possible_costs_never_exceed_the_budget(database: Database, other: Database) -> None:
    """Five of ten holds end at risk while others want their place."""
    ledger = make_ledger(budget=125)
    first = [make_job_for(member=MEMBER + number) for number in range(10)]
    for job in first:
        await database.write(holding(ledger, job))

    writes: list[Callable[[Connection], object]] = [
        ending(ledger, job, at_risk=12 * (number % 2)) for number, job in enumerate(first)
    ]
    writes += [holding(ledger, make_job_for(member=MEMBER + number)) for number in range(20, 40)]
    went = await outcomes((database, other), writes)
    assert went["done"] + went[BudgetSpentError.__name__] == 30
    assert went["done"] <= 15
    budget = await database.read(lambda connection: BudgetRepository(connection).find("2026-03", 125))
    assert (budget.at_risk, budget.captured) == (60, 0)
    assert budget.used <= 120
    assert await database.read(audit) == []


async def test_interaction_delivered_concurrently_is_held_once(database: Database, other: Database) -> None:
    ledger = make_ledger()
    first = make_job_for()
    jobs = [first, *(make_job(place=first.place) for _ in range(9))]
    went = await outcomes((database, other), [holding(ledger, job) for job in jobs])
    assert went == {"done": 1, DuplicateInteractionError.__name__: 9}
    left = await account(database)
    assert left is not None
    assert left.held == first.price
    assert await database.read(audit) == []


async def test_concurrent_settlements_of_one_hold_succeed_once(database: Database, other: Database) -> None:
    """The guard of the job's state is left out: the schema alone must suffice."""
    ledger = make_ledger()
    job = make_job_for()
    await database.write(holding(ledger, job))

    def end(connection: Connection) -> None:
        settle(ledger, connection, Settlement(job=job, charge=12, reason="test", at=START))

    went = await outcomes((database, other), [end] * 10)
    assert went == {"done": 1, IntegrityError.__name__: 9}


async def test_concurrent_holds_and_settlements_balance_without_deadlock(database: Database, other: Database) -> None:
    ledger = make_ledger()
    members = (1, 2, 3)
    first = [make_job_for(member=member) for member in members for _ in range(3)]
    for job in first:
        await database.write(holding(ledger, job))
    later = [make_job_for(member=member) for member in members for _ in range(3)]

    def charging(job: Job, charge: int) -> Callable[[Connection], object]:
        return lambda connection: end(connection, ledger, job, charge)

    writes = [holding(ledger, job) for job in later]
    writes += [charging(job, job.price * (number % 2)) for number, job in enumerate(first)]
    went = await outcomes((database, other), writes)
    assert went == {"done": 18}
    assert await database.read(audit) == []
    assert await database.read(lambda connection: JobRepository(connection).count_live()) == (9, 0)
