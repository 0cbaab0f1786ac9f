"""Answers to calls that were open at the end of their worker's lease."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, Outcome, State
from db.attempts import AttemptRepository
from db.database import Database
from sandbox.providers import MANUAL, BflServer, GeminiServer, ImageApiServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.test_lost_reply import read_balance, read_budget, read_images
from tests.support.factories import make_request

ALLOWANCE = 200


@pytest.fixture
async def gemini() -> AsyncIterator[GeminiServer]:
    """Yield the fake of a synchronous provider."""
    server = GeminiServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def bfl() -> AsyncIterator[BflServer]:
    """Yield a fake with one picture a call, not started."""
    server = BflServer(key="key", latency=MANUAL)
    yield server
    await server.close()


def hold_submits(replies: asyncio.Event) -> Middleware:
    """Return a middleware that sends no reply to a submit before `replies`."""

    @web.middleware
    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if request.method == "POST":
            await replies.wait()
        return response

    return hold


@dataclass(frozen=True, slots=True)
class Pair:
    """A worker with a standing clock, and its successor."""

    late: EngineHarness
    successor: EngineHarness

    async def send(self, provider: ImageApiServer, images: int, model: str = "nano-banana-2.1") -> Job:
        """Return a job once its calls are open at the provider."""
        job = await self.late.create_job(request=make_request(model=model, images=images))
        await self.late.wait_for(lambda: len(provider.jobs) == images)
        return job

    async def take_over(self, job: Job) -> None:
        """Let time pass until the successor owns the job."""
        for _ in range(60):
            if (await self.successor.read_job(job.id)).owner == self.successor.engine.worker_id:
                return
            await self.successor.pass_time(1)
        raise AssertionError("no worker took over")

    async def end_late(self) -> None:
        """Let the late worker finish its step, without its lease."""
        missed = self.successor.clock.now() - self.late.clock.now()
        self.late.clock.advance(missed.total_seconds())
        await self.late.run_rounds(step=1, rounds=3)


@asynccontextmanager
async def pair(
    database: Database, other: Database, folder: Path, keys: Mapping[str, Any], *exempt: str
) -> AsyncIterator[Pair]:
    """Start two workers that share database, pictures and provider."""
    options: dict[str, Any] = {"keys": keys, "exempt": exempt, "alone": False, "skillboss": False}
    async with (
        engine_harness(database, folder, **options) as late,
        engine_harness(other, folder, **options) as successor,
    ):
        await successor.wait_for_dispatch()
        yield Pair(late, successor)


def keys_of(server: ImageApiServer) -> Mapping[str, Any]:
    """Return the settings of a studio with this provider alone."""
    if isinstance(server, GeminiServer):
        return {"gemini_api_key": "key", "gemini_api_url": f"{server.url}/v1beta"}
    return {"bfl_api_key": "key", "bfl_api_url": server.url}


def kept_files(folder: Path) -> list[Path]:
    """Return the files of answers without stored images."""
    return list((folder / "pictures" / "inline").glob("*"))


def finish_all(server: ImageApiServer) -> None:
    """Complete every call at the provider."""
    for made in server.jobs:
        server.finish(made)


@pytest.mark.parametrize("images", [1, 3])
async def test_late_pictures_of_a_job_given_up_are_free(
    database: Database, other: Database, tmp_path: Path, gemini: GeminiServer, images: int
) -> None:
    async with pair(database, other, tmp_path, keys_of(gemini)) as two:
        job = await two.send(gemini, images)
        await two.take_over(job)
        lost = await two.successor.wait_for_state(job.id, State.FAILED)
        assert (lost.fault, lost.charged) == (FaultKind.REPLY_LOST, 0)
        assert await read_budget(two.successor) == (0, 0, job.price)
        finish_all(gemini)
        await two.late.wait_for(lambda: len(kept_files(tmp_path)) == images)
        await two.end_late()
        await two.successor.run_rounds(step=10, rounds=8)
        after = await two.successor.read_job(job.id)
        stored = await read_images(two.successor, job)

        assert (after.state, after.charged, after.reconcile_at) == (State.FAILED, 0, None)
        assert [await two.successor.image_service.read(each.file) for each in stored] == [
            made.pictures[0] for made in gemini.jobs
        ]
        assert await read_balance(two.successor) == (ALLOWANCE, 0)
        assert await read_budget(two.successor) == (0, job.price, 0)  # owed for sure now
        assert kept_files(tmp_path) == []
        assert len(gemini.jobs) == len(gemini.billed) == images
        assert await two.successor.run_audit() == []


@pytest.mark.parametrize("images", [1, 3])
async def test_late_pictures_of_a_held_job_are_charged_once(
    database: Database, other: Database, tmp_path: Path, gemini: GeminiServer, images: int
) -> None:
    """A member without a free repeat still has the credits held."""
    async with pair(database, other, tmp_path, keys_of(gemini)) as two:
        two.successor.ledger._free_repeats = 0
        job = await two.send(gemini, images)
        await two.take_over(job)
        await two.successor.wait_for_state(job.id, State.UNKNOWN)
        finish_all(gemini)
        await two.late.wait_for(lambda: len(kept_files(tmp_path)) == images)
        await two.end_late()
        done = await two.successor.wait_for_state(job.id, State.DONE, step=1)
        calls = await two.successor.database.read(lambda connection: AttemptRepository(connection).list_for(job.id))

        assert done.charged == job.price
        assert len(await read_images(two.successor, job)) == images
        assert {call.outcome for call in calls} == {Outcome.COMPLETED}
        assert await read_balance(two.successor) == (ALLOWANCE - job.price, 0)
        assert await read_budget(two.successor) == (0, job.price, 0)
        assert kept_files(tmp_path) == []
        assert len(gemini.jobs) == images
        assert await two.successor.run_audit() == []


async def test_some_late_pictures_of_a_job_given_up_are_free(
    database: Database, other: Database, tmp_path: Path, gemini: GeminiServer
) -> None:
    async with pair(database, other, tmp_path, keys_of(gemini)) as two:
        gemini.faults.play("refused_output")
        job = await two.send(gemini, 3)
        await two.take_over(job)
        await two.successor.wait_for_state(job.id, State.FAILED)
        finish_all(gemini)
        await two.late.wait_for(lambda: len(kept_files(tmp_path)) == 2)
        await two.end_late()
        await two.successor.run_rounds(step=10, rounds=8)

        assert len(await read_images(two.successor, job)) == 2
        assert await read_balance(two.successor) == (ALLOWANCE, 0)
        assert kept_files(tmp_path) == []
        assert await two.successor.run_audit() == []


async def test_pictures_before_and_after_the_end_of_the_lease_are_one_job(
    database: Database, other: Database, tmp_path: Path, gemini: GeminiServer
) -> None:
    """The recorded part is delivered; nobody keeps the late ones."""
    async with pair(database, other, tmp_path, keys_of(gemini)) as two:
        job = await two.send(gemini, 3)
        gemini.finish(gemini.jobs[0])
        await two.late.wait_for(lambda: len(kept_files(tmp_path)) == 1)
        await two.late.wait_until_idle(unless=lambda: True)
        await two.take_over(job)
        done = await two.successor.wait_for_state(job.id, State.DONE, step=1)
        assert done.charged == job.unit_price
        assert await read_budget(two.successor) == (0, job.unit_price, 2 * job.unit_price)
        finish_all(gemini)
        await two.end_late()
        await two.late.wait_for(lambda: kept_files(tmp_path) == [])

        assert (await two.successor.read_job(job.id)).charged == job.unit_price
        assert len(await read_images(two.successor, job)) == 1
        assert len(gemini.jobs) == 3
        assert await two.successor.run_audit() == []


async def test_late_handles_of_a_job_given_up_bring_free_pictures(
    database: Database, other: Database, tmp_path: Path, bfl: BflServer
) -> None:
    replies = asyncio.Event()
    bfl.middlewares.append(hold_submits(replies))
    await bfl.start()
    exempt = (bfl.url, bfl.delivery_url, bfl.polling_url)
    async with pair(database, other, tmp_path, keys_of(bfl), *exempt) as two:
        job = await two.send(bfl, 2, model="flux-3")
        await two.take_over(job)
        await two.successor.wait_for_state(job.id, State.FAILED)
        replies.set()
        await two.late.wait_until_idle()
        await two.end_late()
        finish_all(bfl)
        await two.successor.run_rounds(step=10, rounds=8)

        assert len(await read_images(two.successor, job)) == 2
        assert await read_balance(two.successor) == (ALLOWANCE, 0)
        assert await read_budget(two.successor) == (0, job.price, 0)
        assert len(bfl.jobs) == 2
        assert await two.successor.run_audit() == []
