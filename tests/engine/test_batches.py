"""Jobs of several calls: one picture a call at Black Forest Labs."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import FaultKind
from bot.domain.jobs import Attempt, Job, Outcome, State
from db.attempts import AttemptRepository
from db.database import Database
from sandbox.providers import MANUAL, BflServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.test_lost_reply import read_balance, read_budget, read_images
from tests.support.clock import ManualClock
from tests.support.factories import make_request

PRICE = 12


@pytest.fixture
async def bfl() -> AsyncIterator[BflServer]:
    """Yield the provider's fake."""
    server = BflServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()


def keys_of(bfl: BflServer) -> Mapping[str, Any]:
    """Return the settings of a studio with this provider."""
    return {"bfl_api_key": "key", "bfl_api_url": bfl.url}


@asynccontextmanager
async def studio(
    database: Database, folder: Path, bfl: BflServer, clock: ManualClock | None = None, **options: Any
) -> AsyncIterator[EngineHarness]:
    """Yield the engine with this provider alone."""
    exempt = (bfl.url, bfl.delivery_url, bfl.polling_url)
    options = {"clock": clock, "keys": keys_of(bfl), "exempt": exempt, **options}
    async with engine_harness(database, folder, skillboss=False, **options) as harness:
        yield harness


async def create(harness: EngineHarness, images: int = 3) -> Job:
    """Create a job of several calls."""
    job = await harness.create_job(request=make_request(model="flux-3", images=images))
    assert job.price == images * job.unit_price
    return job


async def calls_of(harness: EngineHarness, job: Job) -> tuple[Attempt, ...]:
    """Return all calls of a job, oldest first."""
    return await harness.database.read(lambda connection: AttemptRepository(connection).list_for(job.id))


def finish_all(bfl: BflServer) -> None:
    """Complete all unfinished jobs of the provider."""
    for job in bfl.jobs:
        if job.ended_at is None:
            bfl.finish(job)


def outcomes(calls: tuple[Attempt, ...]) -> Counter[Outcome]:
    """Return the number of calls by outcome."""
    return Counter(call.outcome for call in calls)


async def test_each_picture_is_a_call_with_its_own_cost(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        assert len(bfl.jobs) == 3
        finish_all(bfl)
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        calls = await calls_of(harness, job)

        assert done.charged == job.price
        assert len(await read_images(harness, job)) == 3
        assert outcomes(calls) == {Outcome.COMPLETED: 3}
        assert [(call.batch, call.part, call.images) for call in calls] == [(1, 0, 1), (1, 1, 1), (1, 2, 1)]
        assert len({call.handle for call in calls}) == 3
        assert [None if call.cost is None else call.cost.amount for call in calls] == [Decimal("0.048")] * 3
        assert len(bfl.billed) == 3
        assert await harness.run_audit() == []


async def test_refused_call_is_not_charged(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("bad_input")
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        finish_all(bfl)
        done = await harness.wait_for_state(job.id, State.DONE, step=1)

        assert done.charged == 2 * job.unit_price
        assert len(await read_images(harness, job)) == 2
        assert outcomes(await calls_of(harness, job)) == {Outcome.COMPLETED: 2, Outcome.REFUSED: 1}
        assert await read_budget(harness) == (0, 2 * job.unit_price, 0)
        assert await harness.run_audit() == []


async def test_moderated_call_leaves_the_others(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("refused_output")
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        finish_all(bfl)
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        failed = [call for call in await calls_of(harness, job) if call.outcome is Outcome.FAILED]

        assert done.charged == 2 * job.unit_price
        assert [call.fault for call in failed] == [FaultKind.CONTENT]
        assert await harness.run_audit() == []


async def test_lost_call_is_the_operators_risk(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("reply_lost")
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        assert len(bfl.jobs) == 3
        finish_all(bfl)
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        calls = await calls_of(harness, job)

        assert done.charged == 2 * job.unit_price
        assert outcomes(calls) == {Outcome.COMPLETED: 2, Outcome.UNKNOWN: 1}
        assert await read_budget(harness) == (0, 2 * job.unit_price, job.unit_price)
        assert await read_balance(harness) == (200 - 2 * job.unit_price, 0)
        assert await harness.run_audit() == []


async def test_all_calls_lost_is_unknown_once(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("reply_lost", times=3)
        job = await create(harness)
        lost = await harness.wait_for_state(job.id, State.FAILED, step=1)

        assert (lost.fault, lost.charged) == (FaultKind.REPLY_LOST, 0)
        assert await read_budget(harness) == (0, 0, job.price)
        assert len(bfl.jobs) == 3
        assert await harness.run_audit() == []


async def test_all_calls_refused_for_content_end_the_job(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("refused_input", times=3)
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        finish_all(bfl)
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)

        assert (failed.fault, failed.charged) == (FaultKind.CONTENT, 0)
        assert await read_balance(harness) == (200, 0)
        assert await harness.run_audit() == []


async def test_call_refused_for_a_moment_is_sent_again(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("rate_limited")
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        finish_all(bfl)
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        calls = await calls_of(harness, job)

        assert done.charged == job.price
        assert outcomes(calls) == {Outcome.COMPLETED: 3, Outcome.REFUSED: 1}
        assert len(bfl.billed) == 3
        assert await harness.run_audit() == []


async def test_all_calls_refused_for_a_moment_wait_together(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("rate_limited", times=3)
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        finish_all(bfl)
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        calls = await calls_of(harness, job)

        assert (done.charged, done.tries) == (job.price, 1)
        assert [(call.batch, call.part) for call in calls] == [(1, 0), (1, 1), (1, 2), (4, 0), (4, 1), (4, 2)]
        assert await harness.run_audit() == []


async def test_next_process_goes_on_with_all_calls(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    clock = ManualClock()
    async with studio(database, tmp_path, bfl, clock) as first:
        job = await create(first)
        await first.wait_for_state(job.id, State.QUEUED)
    async with studio(database, tmp_path, bfl, clock) as second:
        finish_all(bfl)
        done = await second.wait_for_state(job.id, State.DONE, step=1)

        assert done.charged == job.price
        assert len(bfl.jobs) == 3
        assert await second.run_audit() == []


async def test_deadline_keeps_the_pictures_that_came(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        for made in bfl.jobs[:2]:
            bfl.finish(made)
        done = await harness.wait_for_state(job.id, State.DONE, step=60)

        assert done.charged == 2 * job.unit_price
        assert outcomes(await calls_of(harness, job)) == {Outcome.COMPLETED: 2, Outcome.LOST: 1}
        assert await harness.run_audit() == []


async def test_slots_count_calls(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        job = await create(harness, images=4)
        await harness.wait_for_state(job.id, State.QUEUED)
        busy = await database.read(lambda connection: AttemptRepository(connection).count_active_by_provider())

        assert busy == {"bfl": 4}
