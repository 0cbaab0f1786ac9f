from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import StaleJobError
from bot.domain.jobs import Job, State
from db.database import Database
from db.job_owners import JobOwnerRepository
from db.jobs import JobRepository
from db.workers import WorkerRepository
from tests.support.clock import START
from tests.support.factories import make_job
from tests.support.ledger import adding


async def get(database: Database, job: Job) -> Job:
    """Return the job as it is stored."""
    return await database.read(lambda connection: JobRepository(connection).get(job.id))


async def test_take_over_raises_fence_and_old_owner_is_rejected(database: Database) -> None:
    await database.write(lambda connection: WorkerRepository(connection).renew("alive", START, START))
    held, running = make_job(), make_job(state=State.RUNNING, created_at=START + timedelta(seconds=1), owner="gone")
    ended = make_job(state=State.DONE, finished_at=START, charged=12, created_at=START + timedelta(seconds=2))
    delivered = replace(make_job(), state=State.DONE, finished_at=START, charged=12, delivered_at=START)
    others = make_job(owner="alive")
    await database.write(adding(ended, running, held, delivered, others))

    taken = await database.write(lambda connection: JobOwnerRepository(connection).take_over("new", 9))
    assert taken == tuple(replace(job, fence=2, owner="new") for job in (held, running, ended))
    assert await get(database, delivered) == delivered
    assert await get(database, others) == others

    with pytest.raises(StaleJobError):
        await database.write(lambda connection: JobRepository(connection).advance(running, State.STORING))
    await database.write(lambda connection: JobRepository(connection).advance(taken[1], State.STORING))
    assert await get(database, running) == replace(taken[1], state=State.STORING)


@pytest.mark.parametrize("state", State)
async def test_adopt_takes_only_jobs_in_repeatable_states(database: Database, state: State) -> None:
    job = make_job(state=state, owner="first")
    await database.write(adding(job))
    adoptable = state in (State.HELD, State.UNKNOWN, State.QUEUED, State.RUNNING)
    for expected in (adoptable, False):  # by the second time it is adopted, or still cannot be
        assert (
            await database.write(lambda connection: JobOwnerRepository(connection).adopt(job.id, "second")) is expected
        )
    assert await get(database, job) == (replace(job, owner="second", fence=2) if adoptable else job)


async def test_take_over_respects_its_limit(database: Database) -> None:
    await database.write(lambda connection: WorkerRepository(connection).renew("new", START, START))
    await database.write(adding(*(make_job() for _ in range(5))))
    counts = [
        len(await database.write(lambda connection: JobOwnerRepository(connection).take_over("new", 2)))
        for _ in range(4)
    ]
    assert counts == [2, 2, 1, 0]
