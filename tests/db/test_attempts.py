from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError, NoResultFound

from bot.domain.errors import FaultKind
from bot.domain.jobs import Attempt, Job, Outcome, State
from db.attempts import AttemptRepository
from db.database import Database
from db.jobs import JobRepository
from db.tables import attempts
from tests.support.clock import START
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


async def test_attempts_are_listed_oldest_first(database: Database) -> None:
    """A job's attempts come by number, and the latest is the last of them."""
    job = await a_job_with(database, 2, 1)
    await a_job_with(database, 1)
    listed = await database.read(lambda connection: AttemptRepository(connection).list_for(job.id))
    assert listed == (make_attempt(job, number=1), make_attempt(job, number=2))
    assert await latest(database, job) == make_attempt(job, number=2)


async def test_a_job_without_attempts_has_no_latest(database: Database) -> None:
    """Asking for it is a fault of the caller."""
    job = await a_job_with(database)
    assert await database.read(lambda connection: AttemptRepository(connection).list_for(job.id)) == ()
    with pytest.raises(NoResultFound):
        await latest(database, job)


async def test_what_the_provider_said_is_kept_on_the_latest(database: Database) -> None:
    """Handle, record, cost and the pictures' addresses go to the last attempt; what is not given stays."""
    job = await a_job_with(database, 1, 2)

    def write(connection: Connection) -> None:
        repository = AttemptRepository(connection)
        repository.update_latest(job.id, handle="h-1", record_id="r-1", cost=0, result=["https://cdn.example/1.png"])
        repository.update_latest(job.id, handle=None, cost=7)
        repository.update_latest(job.id, handle=None)

    await database.write(write)
    assert await latest(database, job) == make_attempt(
        job, number=2, handle="h-1", record_id="r-1", cost=7, result=("https://cdn.example/1.png",)
    )
    listed = await database.read(lambda connection: AttemptRepository(connection).list_for(job.id))
    assert listed[0] == make_attempt(job, number=1)


async def test_an_ended_attempt_forgets_the_addresses(database: Database) -> None:
    """Signed addresses do not outlive the attempt; its outcome, fault and end stay."""
    job = await a_job_with(database, 1)
    end = START + timedelta(seconds=30)

    def write(connection: Connection) -> object:
        repository = AttemptRepository(connection)
        repository.update_latest(job.id, result=["https://cdn.example/1.png?signature=abc"])
        repository.end_latest(job.id, Outcome.FAILED, end, fault=FaultKind.CONTENT, cost=3)
        return connection.execute(select(attempts.c.ended_at)).scalar()

    assert await database.write(write) == end
    assert await latest(database, job) == make_attempt(job, outcome=Outcome.FAILED, fault=FaultKind.CONTENT, cost=3)


async def test_an_attempt_needs_its_job_and_a_number_of_its_own(database: Database) -> None:
    """The schema refuses an attempt of no job, and a second one with the same number."""
    job = await a_job_with(database, 1)
    for wrong in (make_attempt(job, number=1), make_attempt(make_job(), number=1)):
        with pytest.raises(IntegrityError):
            await database.write(lambda connection, wrong=wrong: AttemptRepository(connection).add_all([wrong]))  # type: ignore[misc]


async def test_slots_are_counted_by_provider(database: Database) -> None:
    """Only jobs that are at a provider take a slot there; not those that perhaps never arrived."""
    ended: dict[str, Any] = {"finished_at": START, "charged": 0}
    jobs = [
        make_job(state=State.SUBMITTING, provider="skillboss"),
        make_job(state=State.UNKNOWN, provider="skillboss"),
        make_job(state=State.RUNNING, provider="reve2img"),
        make_job(state=State.FAILED, provider="reve2img", **ended),
        make_job(),
    ]
    await database.write(adding(*jobs))
    busy = await database.read(lambda connection: AttemptRepository(connection).count_active_by_provider())
    assert busy == {"skillboss": 1, "reve2img": 1}
