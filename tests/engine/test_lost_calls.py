"""Calls without a reply at providers that can be asked: fal and ComfyUI."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, Outcome, State
from db.database import Database
from sandbox.providers import MANUAL, ComfyServer, FalServer, ImageApiServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.test_lost_reply import read_budget, read_images
from tests.support.clock import ManualClock
from tests.support.factories import make_request

WORKFLOWS = Path(__file__).parents[2] / "docs/workflows"


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of the bot and of the fakes."""
    return ManualClock()


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


@asynccontextmanager
async def studio_of_fal(
    database: Database, folder: Path, fal: FalServer, clock: ManualClock, **options: Any
) -> AsyncIterator[EngineHarness]:
    """Yield the engine with fal alone."""
    keys = {"fal_key": "key", "fal_api_url": fal.url, "fal_platform_url": fal.platform_url}
    exempt = (fal.url, fal.media_url)
    async with engine_harness(
        database, folder, skillboss=False, clock=clock, keys=keys, exempt=exempt, **options
    ) as harness:
        yield harness


@asynccontextmanager
async def studio_of_comfy(
    database: Database, folder: Path, comfy: ComfyServer, clock: ManualClock
) -> AsyncIterator[EngineHarness]:
    """Yield the engine with ComfyUI alone and the workflows of the documents."""
    shutil.copytree(WORKFLOWS, folder / "workflows", dirs_exist_ok=True)
    keys = {"comfyui_url": comfy.url, "comfyui_workflows": folder / "workflows"}
    async with engine_harness(
        database, folder, skillboss=False, clock=clock, keys=keys, exempt=(comfy.url,)
    ) as harness:
        yield harness


async def create(harness: EngineHarness, model: str) -> Job:
    """Create a job for one picture of a model."""
    return await harness.create_job(request=make_request(model=model))


def count_submits(server: ImageApiServer, path: str) -> int:
    """Return the number of paid calls."""
    return len([each for each in server.requests if each.method == "POST" and each.path == path])


async def test_lost_call_is_found_in_the_history(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock
) -> None:
    async with studio_of_fal(database, tmp_path, fal, clock) as harness:
        fal.faults.play("reply_lost")
        job = await create(harness, "nano-banana-pro")
        await harness.wait_for_state(job.id, State.UNKNOWN)
        fal.finish()
        done = await harness.wait_for_state(job.id, State.DONE, step=5)

        assert (done.charged, done.fault) == (job.price, None)
        assert len(await read_images(harness, job)) == 1
        assert len(fal.jobs) == 1
        assert await read_budget(harness) == (0, job.price, 0)
        assert await harness.run_audit() == []


async def test_lost_call_without_a_match_is_given_up_once(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock
) -> None:
    async with studio_of_fal(database, tmp_path, fal, clock) as harness:
        fal.faults.play("reply_lost")
        job = await create(harness, "nano-banana-pro")
        lost = await harness.wait_for_state(job.id, State.FAILED, step=30)

        assert (lost.fault, lost.charged) == (FaultKind.REPLY_LOST, 0)
        assert len(fal.jobs) == 1
        assert await read_budget(harness) == (0, 0, job.price)


async def test_lost_calls_of_one_job_are_found_in_the_history(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock
) -> None:
    """FLUX.2 is one picture a call, each with a separate seed."""
    async with studio_of_fal(database, tmp_path, fal, clock) as harness:
        fal.faults.play("reply_lost", times=2)
        job = await harness.create_job(request=make_request(model="flux-2-pro", images=2))
        await harness.wait_for_state(job.id, State.UNKNOWN)
        for made in fal.jobs:
            fal.finish(made)
        done = await harness.wait_for_state(job.id, State.DONE, step=5)

        assert (done.charged, done.fault) == (job.price, None)
        assert len(await read_images(harness, job)) == 2
        assert len(fal.jobs) == 2
        assert await read_budget(harness) == (0, job.price, 0)
        assert await harness.run_audit() == []


async def test_lost_calls_of_one_job_without_a_match_are_given_up_once(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock
) -> None:
    async with studio_of_fal(database, tmp_path, fal, clock) as harness:
        fal.faults.play("reply_lost", times=2)
        job = await harness.create_job(request=make_request(model="flux-2-pro", images=2))
        lost = await harness.wait_for_state(job.id, State.FAILED, step=30)

        assert (lost.fault, lost.charged) == (FaultKind.REPLY_LOST, 0)
        assert len(fal.jobs) == 2
        assert await read_budget(harness) == (0, 0, job.price)


@pytest.mark.parametrize(("model", "images"), [("nano-banana-pro", 1), ("flux-2-pro", 2)])
async def test_black_pictures_are_the_operators_cost(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock, model: str, images: int
) -> None:
    """They are billed like any others, and members pay nothing."""
    clock.advance(250 * 24 * 3600)  # to a day with list prices
    async with studio_of_fal(database, tmp_path, fal, clock) as harness:
        fal.faults.play("refused_output", times=images)
        job = await harness.create_job(request=make_request(model=model, images=images))
        await harness.wait_for_state(job.id, State.QUEUED)
        for made in fal.jobs:
            fal.finish(made)
        failed = await harness.wait_for_state(job.id, State.FAILED, step=5)

        assert (failed.fault, failed.charged) == (FaultKind.CONTENT, 0)
        assert len(fal.billed) == images
        assert await read_budget(harness) == (0, 0, job.price)
        assert await harness.run_audit() == []


async def test_call_of_ended_process_is_found_by_the_next(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock
) -> None:
    async with studio_of_fal(database, tmp_path, fal, clock) as first:
        fal.faults.play("reply_lost")
        job = await create(first, "nano-banana-pro")
        await first.wait_for_state(job.id, State.UNKNOWN)
    fal.finish()
    async with studio_of_fal(database, tmp_path, fal, clock) as second:
        done = await second.wait_for_state(job.id, State.DONE, step=5)

        assert done.charged == job.price
        assert len(fal.jobs) == 1
        assert await second.run_audit() == []


async def test_equal_call_of_another_job_is_not_taken_for_the_lost_one(
    database: Database, tmp_path: Path, fal: FalServer, clock: ManualClock
) -> None:
    """FLUX 3 takes no seed, so the inputs of both calls are equal."""
    async with studio_of_fal(database, tmp_path, fal, clock) as first:
        known = await create(first, "flux-3")
        await first.wait_for_state(known.id, State.QUEUED)
        fal.finish()
        await first.wait_for_state(known.id, State.DONE, step=1)
    async with studio_of_fal(database, tmp_path, fal, clock) as second:
        fal.faults.add("submit", "reset_before")
        job = await create(second, "flux-3")
        lost = await second.wait_for_state(job.id, State.FAILED, step=30)

        assert lost.fault is FaultKind.REPLY_LOST
        assert await read_images(second, job) == ()


async def test_lost_call_is_found_by_its_own_id(
    database: Database, tmp_path: Path, comfy: ComfyServer, clock: ManualClock
) -> None:
    async with studio_of_comfy(database, tmp_path, comfy, clock) as harness:
        comfy.faults.play("reply_lost")
        job = await create(harness, "local-sdxl")
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        comfy.finish()
        done = await harness.wait_for_state(job.id, State.DONE, step=1)

        assert done.charged == job.price
        assert len(comfy.jobs) == 1
        assert count_submits(comfy, "/prompt") == 1
        assert (await harness.read_attempt(job.id)).handle == comfy.jobs[0].id


async def test_call_that_never_arrived_is_sent_again(
    database: Database, tmp_path: Path, comfy: ComfyServer, clock: ManualClock
) -> None:
    async with studio_of_comfy(database, tmp_path, comfy, clock) as harness:
        comfy.faults.add("submit", "reset_before")
        job = await create(harness, "local-sdxl")
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        comfy.finish()
        done = await harness.wait_for_state(job.id, State.DONE, step=1)

        assert (done.charged, done.tries) == (job.price, 1)
        assert len(comfy.jobs) == 1
        assert await harness.run_audit() == []


async def test_server_that_is_down_is_asked_until_it_answers(
    database: Database, tmp_path: Path, comfy: ComfyServer, clock: ManualClock
) -> None:
    async with studio_of_comfy(database, tmp_path, comfy, clock) as harness:
        comfy.faults.play("reply_lost")
        comfy.faults.add("status", "reset_before", times=4)
        job = await create(harness, "local-sdxl")
        await harness.wait_for_state(job.id, State.UNKNOWN)
        await comfy.restart()
        failed = await harness.wait_for_state(job.id, State.FAILED, step=5)

        assert (failed.fault, failed.charged) == (FaultKind.UNAVAILABLE, 0)
        assert (await harness.read_attempt(job.id)).outcome is Outcome.REFUSED
        assert await read_budget(harness) == (0, 0, 0)
        assert await harness.run_audit() == []


async def test_running_prompt_is_cancelled(
    sqlite_database: Database, tmp_path: Path, comfy: ComfyServer, clock: ManualClock
) -> None:
    async with studio_of_comfy(sqlite_database, tmp_path, comfy, clock) as harness:
        job = await create(harness, "local-sdxl")
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        comfy.advance()
        await harness.wait_for_state(job.id, State.RUNNING, step=1)
        await harness.cancel(job.id)
        cancelled = await harness.wait_for_state(job.id, State.CANCELLED, step=1)

        assert cancelled.charged == 0
        assert await harness.run_audit() == []


async def test_card_shows_the_queue_of_the_provider(
    sqlite_database: Database, tmp_path: Path, comfy: ComfyServer, clock: ManualClock
) -> None:
    async with studio_of_comfy(sqlite_database, tmp_path, comfy, clock) as harness:
        jobs = [await create(harness, "local-sdxl") for _ in range(3)]
        for job in jobs:
            await harness.wait_for_state(job.id, State.QUEUED, step=1)
        comfy.advance(comfy.jobs[0])
        await harness.wait_for_state(jobs[0].id, State.RUNNING, step=1)
        await harness.run_rounds(step=5, rounds=3)
        shown = [await harness.snapshots.get(job.id) for job in jobs]

        assert [each.remote_position for each in shown] == [None, 1, 2]
        assert shown[0].percent is not None
