"""Calls answered with the images: Google Gemini."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.costs import CostSource, Currency
from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, Outcome, State
from bot.images.image_service import ImageService
from db.database import Database
from sandbox.providers import MANUAL, GeminiServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.test_lost_reply import read_balance, read_budget, read_images
from tests.support.clock import ManualClock
from tests.support.factories import make_request


@pytest.fixture
async def gemini() -> AsyncIterator[GeminiServer]:
    """Yield the provider's fake; it signs its pictures."""
    server = GeminiServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()


@asynccontextmanager
async def studio(
    database: Database, folder: Path, gemini: GeminiServer, clock: ManualClock | None = None, **options: Any
) -> AsyncIterator[EngineHarness]:
    """Yield the engine with this provider alone."""
    keys = {"gemini_api_key": "key", "gemini_api_url": f"{gemini.url}/v1beta"}
    async with engine_harness(database, folder, skillboss=False, clock=clock, keys=keys, **options) as harness:
        yield harness


async def sent(harness: EngineHarness, gemini: GeminiServer, images: int = 1) -> Job:
    """Create a job and return it once its calls are open at the provider."""
    job = await harness.create_job(request=make_request(model="nano-banana-2.1", images=images))
    await harness.wait_for(lambda: len(gemini.jobs) == images)
    return job


def stored_files(folder: Path) -> list[Path]:
    """Return the files kept from answers and not yet recorded."""
    return list((folder / "pictures" / "inline").glob("*"))


async def test_images_of_answer_are_stored_as_they_came(
    database: Database, tmp_path: Path, gemini: GeminiServer
) -> None:
    async with studio(database, tmp_path, gemini) as harness:
        job = await sent(harness, gemini)
        assert (await harness.snapshots.get(job.id)).at_work
        made = gemini.finish()
        done = await harness.wait_for_state(job.id, State.DONE)
        (image,) = await read_images(harness, job)
        attempt = await harness.read_attempt(job.id)

        assert done.charged == job.price
        assert await harness.image_service.read(image.file) == made.pictures[0]
        assert attempt.cost is not None
        assert (attempt.cost.currency, attempt.cost.source) == (Currency.USD, CostSource.COMPUTED)
        assert stored_files(tmp_path) == []
        assert await harness.run_audit() == []


async def test_refusal_in_a_good_answer_charges_nothing(
    database: Database, tmp_path: Path, gemini: GeminiServer
) -> None:
    async with studio(database, tmp_path, gemini) as harness:
        gemini.faults.play("refused_output")
        job = await sent(harness, gemini)
        gemini.finish()
        failed = await harness.wait_for_state(job.id, State.FAILED)

        assert (failed.fault, failed.charged) == (FaultKind.CONTENT, 0)
        assert await read_balance(harness) == (200, 0)


async def test_several_calls_are_open_at_once(database: Database, tmp_path: Path, gemini: GeminiServer) -> None:
    async with studio(database, tmp_path, gemini) as harness:
        job = await sent(harness, gemini, images=3)
        for made in gemini.jobs:
            gemini.finish(made)
        done = await harness.wait_for_state(job.id, State.DONE)

        assert done.charged == job.price
        assert len(await read_images(harness, job)) == 3
        assert len(gemini.billed) == 3


async def test_stop_waits_for_the_answer(database: Database, tmp_path: Path, gemini: GeminiServer) -> None:
    clock = ManualClock()
    async with studio(database, tmp_path, gemini, clock) as first:
        job = await sent(first, gemini)
        stopping = asyncio.create_task(first.engine.stop())
        await first.settle()
        assert not stopping.done()
        gemini.finish()
        await stopping
        assert (await first.read_job(job.id)).state is State.STORING
    async with studio(database, tmp_path, gemini, clock) as second:
        done = await second.wait_for_state(job.id, State.DONE)

        assert done.charged == job.price
        assert len(gemini.jobs) == 1
        assert await second.run_audit() == []


@pytest.mark.parametrize("images", [1, 2])
async def test_call_of_ended_process_is_never_sent_again(
    database: Database, tmp_path: Path, gemini: GeminiServer, images: int
) -> None:
    clock = ManualClock()
    async with studio(database, tmp_path, gemini, clock) as first:
        job = await sent(first, gemini, images)
        hurry = asyncio.Event()
        hurry.set()
        stopping = asyncio.create_task(first.engine.stop(hurry))
        await first.wait_for(stopping.done, step=1)
    async with studio(database, tmp_path, gemini, clock) as second:
        lost = await second.wait_for_state(job.id, State.FAILED)

        assert (lost.fault, lost.charged) == (FaultKind.REPLY_LOST, 0)
        assert len(gemini.jobs) == images
        assert await read_budget(second) == (0, 0, job.price)
        assert await second.run_audit() == []


async def test_full_disk_keeps_the_answer_until_there_is_space(
    sqlite_database: Database, tmp_path: Path, gemini: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    keep = ImageService.keep_inline

    async def keep_inline(service: ImageService, data: bytes) -> str:
        if full:
            raise OSError(28, "No space left on device")
        return await keep(service, data)

    monkeypatch.setattr(ImageService, "keep_inline", keep_inline)
    async with studio(sqlite_database, tmp_path, gemini) as harness:
        job = await sent(harness, gemini)
        gemini.finish()
        await harness.wait_for(lambda: harness.storage_gate.is_disk_closed)
        assert (await harness.read_job(job.id)).state is State.SUBMITTING
        full = False
        done = await harness.wait_for_state(job.id, State.DONE, step=1)

        assert done.charged == job.price
        assert len(gemini.jobs) == 1


async def test_lost_reply_of_unanswered_call_ends_the_job(
    database: Database, tmp_path: Path, gemini: GeminiServer
) -> None:
    async with studio(database, tmp_path, gemini) as harness:
        gemini.faults.play("reply_half")
        job = await sent(harness, gemini)
        gemini.finish()
        lost = await harness.wait_for_state(job.id, State.FAILED)

        assert (lost.fault, (await harness.read_attempt(job.id)).outcome) == (FaultKind.REPLY_LOST, Outcome.UNKNOWN)
        assert await read_budget(harness) == (0, 0, job.price)
