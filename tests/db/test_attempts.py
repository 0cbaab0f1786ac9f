from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from bot.domain.costs import CostSource, usd
from bot.domain.errors import FaultKind, StaleJobError
from bot.domain.jobs import Attempt, Job, Outcome, State
from db.attempts import AttemptRepository
from db.database import Database
from db.jobs import JobRepository
from db.tables import attempts
from tests.support.clock import START
from tests.support.costs import in_credits
from tests.support.factories import make_attempt, make_job
from tests.support.ledger import adding


async def a_job_with(database: Database, *numbers: int) -> Job:
    """Return a stored job with attempts of these numbers."""
    job = make_job()

    def write(connection: Connection) -> None:
        JobRepository(connection).add(job)
        if numbers:
            AttemptRepository(connection).add_all([make_attempt(job, number=number) for number in numbers])

    await database.write(write)
    return job


async def latest(database: Database, job: Job) -> Attempt:
    """Return the last attempt."""
    return await database.read(lambda connection: AttemptRepository(connection).latest(job.id))


async def test_list_for_returns_attempts_oldest_first(database: Database) -> None:
    job = await a_job_with(database, 2, 1)
    await a_job_with(database, 1)
    listed = await database.read(lambda connection: AttemptRepository(connection).list_for(job.id))
    assert listed == (make_attempt(job, number=1), make_attempt(job, number=2))
    assert await latest(database, job) == make_attempt(job, number=2)


async def test_latest_of_job_without_attempts_raises(database: Database) -> None:
    job = await a_job_with(database)
    assert await database.read(lambda connection: AttemptRepository(connection).list_for(job.id)) == ()
    with pytest.raises(StaleJobError):
        await latest(database, job)


async def test_update_latest_changes_given_columns_of_last_attempt_only(database: Database) -> None:
    job = await a_job_with(database, 1, 2)

    def write(connection: Connection) -> None:
        repository = AttemptRepository(connection)
        repository.update_latest(
            job.id, handle="h-1", record_id="r-1", cost=in_credits(0), result=["https://cdn.example/1.png"]
        )
        repository.update_latest(job.id, handle=None, cost=in_credits(7))
        repository.update_latest(job.id, handle=None)

    await database.write(write)
    assert await latest(database, job) == make_attempt(
        job, number=2, handle="h-1", record_id="r-1", cost=in_credits(7), result=("https://cdn.example/1.png",)
    )
    listed = await database.read(lambda connection: AttemptRepository(connection).list_for(job.id))
    assert listed[0] == make_attempt(job, number=1)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-1", "1e30"])
async def test_cost_that_is_no_price_does_not_lose_the_reply(database: Database, amount: str) -> None:
    job = await a_job_with(database, 1)
    cost = usd(Decimal(amount), CostSource.REPORTED)
    await database.write(
        lambda connection: AttemptRepository(connection).update_latest(job.id, handle="h-1", cost=cost)
    )
    assert await latest(database, job) == make_attempt(job, handle="h-1")


async def test_handle_belongs_to_the_first_call_that_claims_it(database: Database) -> None:
    job = await a_job_with(database, 1, 2)
    first, second = await database.read(lambda connection: AttemptRepository(connection).list_for(job.id))

    def write(connection: Connection) -> list[bool]:
        repository = AttemptRepository(connection)
        return [repository.claim_handle(call, "h-1") for call in (first, second, first)]

    assert await database.write(write) == [True, False, True]
    listed = await database.read(lambda connection: AttemptRepository(connection).list_for(job.id))
    assert [call.handle for call in listed] == ["h-1", None]


async def test_end_latest_keeps_outcome_and_erases_signed_addresses(database: Database) -> None:
    job = await a_job_with(database, 1)
    end = START + timedelta(seconds=30)

    def write(connection: Connection) -> object:
        repository = AttemptRepository(connection)
        repository.update_latest(job.id, result=["https://cdn.example/1.png?signature=abc"])
        repository.end_batch(job.id, Outcome.FAILED, end, fault=FaultKind.CONTENT, cost=in_credits(3))
        return connection.execute(select(attempts.c.ended_at)).scalar()

    assert await database.write(write) == end
    assert await latest(database, job) == make_attempt(
        job, outcome=Outcome.FAILED, fault=FaultKind.CONTENT, cost=in_credits(3)
    )


async def test_schema_rejects_attempt_without_job_or_with_used_number(database: Database) -> None:
    job = await a_job_with(database, 1)
    for wrong in (make_attempt(job, number=1), make_attempt(make_job(), number=1)):
        with pytest.raises(IntegrityError):
            await database.write(lambda connection, wrong=wrong: AttemptRepository(connection).add_all([wrong]))  # type: ignore[misc]


async def test_count_active_by_provider_counts_open_calls(database: Database) -> None:
    ended: dict[str, Any] = {"finished_at": START, "charged": 0}
    submitting = make_job(state=State.SUBMITTING, provider="skillboss")
    unknown = make_job(state=State.UNKNOWN, provider="skillboss")
    running = make_job(state=State.RUNNING, provider="reve2img")
    failed = make_job(state=State.FAILED, provider="reve2img", **ended)
    await database.write(adding(submitting, unknown, running, failed, make_job()))
    calls = [
        make_attempt(submitting),
        make_attempt(unknown, outcome=Outcome.UNKNOWN),
        *(make_attempt(running, number=part + 1, part=part) for part in range(3)),
        make_attempt(running, number=4, part=3, outcome=Outcome.FAILED),
        make_attempt(failed, outcome=Outcome.FAILED),
    ]
    await database.write(lambda connection: AttemptRepository(connection).add_all(calls))
    busy = await database.read(lambda connection: AttemptRepository(connection).count_active_by_provider())
    assert busy == {"skillboss": 1, "reve2img": 3}
