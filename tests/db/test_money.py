"""Earnings and costs of a month."""

from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection, text

from bot.domain.costs import Cost, CostSource, Currency, usd
from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, Outcome
from bot.domain.money import ModelMoney
from db.attempts import AttemptRepository
from db.database import Database
from db.money import read_money
from db.pictures import ResultImageRepository
from tests.support.clock import START
from tests.support.costs import in_credits
from tests.support.factories import make_attempt, make_image
from tests.support.ledger import end, grant, hold, make_job_for, make_ledger

REPORTED = usd(Decimal("0.048"), CostSource.REPORTED)
LISTED = usd(Decimal("0.0000001"), CostSource.TABLE)

Call = tuple[str, Outcome, Cost | None, FaultKind | None]


def call(
    outcome: Outcome, cost: Cost | None = None, provider: str = "skillboss", fault: FaultKind | None = None
) -> Call:
    """Return a call with its end."""
    return provider, outcome, cost, fault


async def ended(database: Database, *calls: Call, images: int = 1, charge: int = 0, at_risk: int = 0) -> Job:
    """Return an ended job with these calls; the risk is the first one's."""
    ledger, job = make_ledger(), make_job_for(images)

    def write(connection: Connection) -> None:
        grant(connection, ledger, 500)
        hold(connection, ledger, job)
        attempts = AttemptRepository(connection)
        for number, (provider, outcome, cost, fault) in enumerate(calls, 1):
            attempt = make_attempt(job, number=number, provider=provider)
            attempts.add_all([attempt])
            attempts.end_call(attempt, outcome, START, cost=cost, fault=fault)
        pictures = [make_image(job, position=at) for at in range(charge // 12)]
        if pictures:
            ResultImageRepository(connection).add_all(pictures, START)
        end(connection, ledger, job, charge, at_risk=at_risk)

    await database.write(write)
    return job


async def money(database: Database, month: str = "2026-03") -> list[ModelMoney]:
    """Return the rows of a month."""
    return list(await database.read(lambda connection: read_money(connection, month)))


def expected(provider: str = "skillboss", **values: Any) -> ModelMoney:
    """Return a row of zeros but for these values."""
    names = ("jobs", "last_jobs", "images", "calls", "refused", "failed", "unknown", "earned", "possible", "unpriced")
    return ModelMoney(provider=provider, model="reve-2.0", **{**dict.fromkeys(names, 0), "costs": {}, **values})


async def test_month_without_jobs_has_no_rows(database: Database) -> None:
    await ended(database, call(Outcome.COMPLETED), charge=12)
    assert await money(database, "2026-02") == []
    assert len(await money(database)) == 1


async def test_calls_of_one_job_count_it_once(database: Database) -> None:
    done = call(Outcome.COMPLETED, REPORTED)
    await ended(database, done, done, done, images=3, charge=36)
    costs = {(Currency.USD, CostSource.REPORTED): Decimal("0.144")}
    assert await money(database) == [expected(jobs=1, last_jobs=1, images=3, calls=3, earned=36, costs=costs)]


async def test_credits_belong_to_the_provider_of_the_last_call(database: Database) -> None:
    await ended(database, call(Outcome.REFUSED, provider="reve2img"), call(Outcome.COMPLETED, REPORTED), charge=12)
    costs = {(Currency.USD, CostSource.REPORTED): Decimal("0.048")}
    assert await money(database) == [
        expected("reve2img", jobs=1, calls=1, refused=1),
        expected(jobs=1, last_jobs=1, images=1, calls=1, earned=12, costs=costs),
    ]


async def test_costs_are_apart_by_currency_and_source(database: Database) -> None:
    for cost in (REPORTED, REPORTED, LISTED, in_credits(20), None):
        await ended(database, call(Outcome.COMPLETED, cost), charge=12)
    (row,) = await money(database)
    assert row.costs == {
        (Currency.USD, CostSource.REPORTED): Decimal("0.096"),
        (Currency.USD, CostSource.TABLE): Decimal("0.0000001"),
        (Currency.CREDITS, CostSource.REPORTED): Decimal(20),
    }
    assert row.spent(Currency.USD) == Decimal("0.0960001")
    assert (row.jobs, row.earned, row.unpriced) == (5, 60, 1)


async def test_outcomes_are_counted_with_their_unknown_costs(database: Database) -> None:
    """Refused and failed calls are not billed, except for empty answers."""
    await ended(database, call(Outcome.REFUSED))
    await ended(database, call(Outcome.CANCELLED))
    await ended(database, call(Outcome.FAILED, fault=FaultKind.CONTENT))
    await ended(database, call(Outcome.FAILED, fault=FaultKind.NO_PICTURES))
    await ended(database, call(Outcome.UNKNOWN), at_risk=12)
    await ended(database, call(Outcome.LOST))
    (row,) = await money(database)
    assert row == expected(jobs=6, last_jobs=6, calls=6, refused=1, failed=2, unknown=2, possible=12, unpriced=3)


async def test_dropped_risk_is_not_possible_and_owed_one_is(database: Database) -> None:
    for outcome, possible in (("dropped", 0), ("owed", 12)):
        job = await ended(database, call(Outcome.UNKNOWN), at_risk=12)
        await database.write(partial(_decide, job, outcome))
        (row,) = await money(database)
        assert row.possible == possible


def _decide(job: Job, outcome: str, connection: Connection) -> None:
    """Set the outcome of a job's risk."""
    statement = text("UPDATE risks SET outcome = :outcome WHERE job_id = :job")
    connection.execute(statement, {"outcome": outcome, "job": job.id})
