"""Faults in jobs of several calls: lost replies, late answers, deadlines."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, Outcome, State
from db.database import Database
from sandbox.providers import MANUAL, BflServer, ComfyServer, FalServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.gated_provider import Gates
from tests.engine.test_batches import calls_of, create, outcomes, studio
from tests.engine.test_leases import Pair
from tests.engine.test_lost_calls import studio_of_comfy, studio_of_fal
from tests.engine.test_lost_reply import CallbackUrls, read_balance, read_budget, read_images
from tests.support.clock import ManualClock
from tests.support.factories import make_request


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of the bot and of the fakes."""
    return ManualClock()


@pytest.fixture
async def bfl() -> AsyncIterator[BflServer]:
    """Yield the fake of Black Forest Labs."""
    server = BflServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def fal(clock: ManualClock) -> AsyncIterator[FalServer]:
    """Yield fal's fake."""
    server = FalServer(key="key", latency=MANUAL, wall_clock=lambda: clock.now().timestamp())
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def comfy() -> AsyncIterator[ComfyServer]:
    """Yield ComfyUI's fake."""
    server = ComfyServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()


async def lose_all(harness: EngineHarness, bfl: BflServer, images: int = 3) -> Job:
    """Return a job with all calls accepted and every reply lost."""
    bfl.faults.play("reply_lost", times=images)
    job = await create(harness, images)
    await harness.wait_for_state(job.id, State.UNKNOWN)
    assert len(bfl.jobs) == images
    return job


async def test_lost_call_named_by_a_webhook_that_never_ends_is_given_up(
    database: Database, tmp_path: Path, bfl: BflServer
) -> None:
    urls = CallbackUrls()
    async with studio(database, tmp_path, bfl, new_callback_url=urls) as harness:
        job = await lose_all(harness, bfl)
        assert await harness.engine.handle_webhook(urls.hashes[0], "bfl", bfl.jobs[0].id)
        lost = await harness.wait_for_state(job.id, State.FAILED, step=60)

        assert (lost.fault, lost.charged) == (FaultKind.REPLY_LOST, 0)
        assert await read_balance(harness) == (200, 0)
        assert await read_budget(harness) == (0, 0, job.price)
        assert await harness.run_audit() == []


async def test_failed_call_decides_nothing_about_a_lost_one(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("reply_lost")
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        for made in bfl.jobs:
            bfl.store.fail(made, "upstream vendor error")
        lost = await harness.wait_for_state(job.id, State.FAILED, step=1)
        await harness.run_rounds(step=60)

        assert (lost.fault, lost.charged) == (FaultKind.REPLY_LOST, 0)
        assert await read_budget(harness) == (0, 0, job.unit_price)
        assert await harness.run_audit() == []


async def test_late_pictures_of_all_calls_are_stored(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        job = await create(harness)
        await harness.wait_for_state(job.id, State.LOST, step=60)
        for made in bfl.jobs[:2]:
            bfl.finish(made)
        bfl.store.fail(bfl.jobs[2], "upstream vendor error")
        await harness.run_rounds(step=60)

        assert len(await read_images(harness, job)) == 2
        assert await read_budget(harness) == (0, job.price, 0)
        assert await harness.run_audit() == []


async def test_late_failures_of_all_calls_cost_nothing(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        job = await create(harness)
        await harness.wait_for_state(job.id, State.LOST, step=60)
        for made in bfl.jobs:
            bfl.store.fail(made, "upstream vendor error")
        await harness.run_rounds(step=60)

        assert await read_images(harness, job) == ()
        assert await read_budget(harness) == (0, 0, 0)
        assert await harness.run_audit() == []


async def test_billed_failure_of_a_call_stays_owed(database: Database, tmp_path: Path, bfl: BflServer) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        bfl.faults.play("refused_output")
        job = await create(harness, 2)
        await harness.wait_for_state(job.id, State.QUEUED)
        refused, other = sorted(bfl.jobs, key=lambda made: bfl.tasks[made.id].failure is None)
        bfl.finish(refused)
        await harness.wait_for_state(job.id, State.LOST, step=60)
        bfl.store.fail(other, "upstream vendor error")
        await harness.run_rounds(step=60)

        assert await read_budget(harness) == (0, job.price, 0)
        assert await harness.run_audit() == []


async def test_found_request_belongs_to_one_call(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock
) -> None:
    """FLUX 3 takes no seed, so the inputs of both calls are equal."""
    async with studio_of_fal(database, tmp_path, fal, clock) as harness:
        fal.faults.add("submit", "reset_before")
        fal.faults.play("reply_lost")
        job = await harness.create_job(request=make_request(model="flux-3", images=2))
        await harness.wait_for_state(job.id, State.UNKNOWN)
        assert len(fal.jobs) == 1
        fal.finish()
        done = await harness.wait_for_state(job.id, State.DONE, step=5)
        calls = await calls_of(harness, job)

        assert done.charged == job.unit_price
        assert len(await read_images(harness, job)) == 1
        assert outcomes(calls) == {Outcome.COMPLETED: 1, Outcome.UNKNOWN: 1}
        assert await read_budget(harness) == (0, job.unit_price, job.unit_price)
        assert await harness.run_audit() == []


async def test_lost_calls_are_asked_for_until_the_server_answers(
    sqlite_database: Database, tmp_path: Path, comfy: ComfyServer, clock: ManualClock
) -> None:
    async with studio_of_comfy(sqlite_database, tmp_path, comfy, clock) as harness:
        comfy.faults.play("reply_lost", times=2)
        comfy.faults.add("status", "reset_before", times=None)
        job = await harness.create_job(request=make_request(model="local-sdxl", images=2))
        await harness.wait_for_state(job.id, State.UNKNOWN)
        await harness.run_rounds(step=5, rounds=3)
        comfy.clear_faults()
        for made in comfy.jobs:
            comfy.finish(made)
        done = await harness.wait_for_state(job.id, State.DONE, step=5)

        assert done.charged == job.price
        assert await harness.run_audit() == []


async def test_calls_that_the_provider_forgot_are_the_operators_risk(
    database: Database, tmp_path: Path, bfl: BflServer
) -> None:
    async with studio(database, tmp_path, bfl) as harness:
        job = await create(harness)
        await harness.wait_for_state(job.id, State.QUEUED)
        bfl.faults.add("status", "status", status=404, times=None)
        gone = await harness.wait_for_state(job.id, State.FAILED, step=10)

        assert gone.fault is FaultKind.NOT_FOUND
        at_risk = (await read_budget(harness))[2]
        assert at_risk == job.price
        assert await harness.run_audit() == []


async def test_late_replies_of_all_calls_are_reconciled(database: Database, other: Database, tmp_path: Path) -> None:
    # Another worker gave the calls up meanwhile; only this one knows their handles.
    gates = Gates()
    models = tmp_path / "models.toml"
    models.write_text("")
    options: dict[str, Any] = {"alone": False, "keys": {"models_file": models}}
    async with (
        engine_harness(database, tmp_path, wrap=gates, **options) as late,
        engine_harness(other, tmp_path, server=late.server, **options) as successor,
    ):
        two = Pair(late, successor, gates.gated)
        await successor.wait_for_dispatch()
        two.gated.after.clear()
        job = await late.create_job(request=make_request(model="nano-banana-pro", images=2))
        await late.wait_for(lambda: len(late.server.jobs) == 2)
        await two.suspend_late(job)
        await successor.wait_for_state(job.id, State.FAILED, step=1)
        two.gated.open()
        await late.run_rounds()
        for made in late.server.jobs:
            late.server.finish(made)
        await successor.run_rounds(step=60)

        assert len(await read_images(successor, job)) == 2
        assert await read_budget(successor) == (0, job.price, 0)
        assert await successor.run_audit() == []
