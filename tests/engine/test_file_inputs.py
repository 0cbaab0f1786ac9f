"""Inputs as files, without a public address and a publication."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.attachments import InputPolicy
from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.domain.jobs import Job, State
from bot.engine import call_sender
from bot.engine.claimer import no_input_url
from bot.images.image_service import ImageService
from db.database import Database
from sandbox.providers import MANUAL, GeminiServer, Reve2ImgServer
from tests.engine.edit_requests import Publisher, edit_request, publisher_of
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.factories import make_context, make_request
from tests.support.image_server import ImageServer, animated

MODEL = "nano-banana-pro"


@pytest.fixture
async def gemini() -> AsyncIterator[GeminiServer]:
    """Yield the fake of a provider that takes files."""
    server = GeminiServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()


@asynccontextmanager
async def studio(
    database: Database, folder: Path, image_host: ImageServer, gemini: GeminiServer, second: Reve2ImgServer | None
) -> AsyncIterator[EngineHarness]:
    """Yield the engine without a public address."""
    keys: dict[str, object] = {"gemini_api_key": "key", "gemini_api_url": f"{gemini.url}/v1beta"}
    keys["provider_order"] = ("gemini", "reve2img")
    async with engine_harness(
        database,
        folder,
        skillboss=False,
        second=second,
        keys=keys,
        policy=InputPolicy(extra_origin=image_host.base, served=False),
        new_input_url=no_input_url,
        publisher=Publisher(image_host, folder / "pictures"),
    ) as harness:
        yield harness


async def create(harness: EngineHarness, image_host: ImageServer) -> Job:
    """Create an edit of a member's animation."""
    return await harness.create_job(request=edit_request(image_host.put("a.gif", animated()), model=MODEL))


async def test_input_is_sent_as_a_file_and_not_published(
    database: Database, tmp_path: Path, image_host: ImageServer, gemini: GeminiServer
) -> None:
    async with studio(database, tmp_path, image_host, gemini, None) as harness:
        job = await create(harness, image_host)
        await harness.wait_for(lambda: gemini.jobs, step=1)
        stored = (await harness.read_job(job.id)).request.inputs[0].file
        gemini.finish()
        done = await harness.wait_for_state(job.id, State.DONE)

        assert stored is not None
        assert [each.sha256 for each in gemini.jobs[0].inputs] == [stored.sha256]
        assert done.charged == job.price
        assert not publisher_of(harness).published


async def test_input_is_published_once_only_a_provider_with_addresses_is_left(
    database: Database, tmp_path: Path, image_host: ImageServer, gemini: GeminiServer, reve2img: Reve2ImgServer
) -> None:
    async with studio(database, tmp_path, image_host, gemini, reve2img) as harness:
        gemini.faults.play("bad_input")
        job = await create(harness, image_host)
        await harness.wait_for_state(job.id, State.RUNNING, step=1)
        await reve2img.finish_and_wait()
        done = await harness.wait_for_state(job.id, State.DONE, step=1)

        assert (done.charged, done.provider) == (job.price, "reve2img")
        assert publisher_of(harness).published == {job.id: 1}
        assert await harness.run_audit() == []


async def test_calls_wait_for_the_memory_of_their_inputs(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    gemini: GeminiServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call without inputs does not wait, and nothing fails."""
    monkeypatch.setattr(call_sender, "INPUT_BYTES", 1)
    senders = opened(monkeypatch)
    async with studio(sqlite_database, tmp_path, image_host, gemini, None) as harness:
        edits = [await create(harness, image_host) for _ in range(2)]
        await harness.wait_for(lambda: senders[0].waiting == 1 and len(gemini.jobs) == 1, step=1)
        text = await harness.create_job(place=make_context(member_id=77), request=make_request(model=MODEL))
        await harness.wait_for(lambda: len(gemini.jobs) == 2)
        waiting, open_calls = senders[0].waiting, senders[0].open_synchronous
        for made in list(gemini.jobs):
            gemini.finish(made)
        await harness.wait_for(lambda: len(gemini.jobs) == 3)
        gemini.finish()
        done = [await harness.wait_for_state(job.id, State.DONE, step=1) for job in (*edits, text)]

        assert (waiting, open_calls) == (1, 3)
        assert [job.charged for job in done] == [job.price for job in (*edits, text)]
        assert (senders[0].waiting, senders[0].open_synchronous) == (0, 0)


async def test_call_that_waited_beyond_the_lease_is_not_sent(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    gemini: GeminiServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another worker may have given the job up meanwhile."""
    monkeypatch.setattr(call_sender, "INPUT_BYTES", 1)
    senders = opened(monkeypatch)
    async with studio(sqlite_database, tmp_path, image_host, gemini, None) as harness:
        jobs = [await create(harness, image_host) for _ in range(2)]
        await harness.wait_for(lambda: senders[0].waiting == 1 and len(gemini.jobs) == 1, step=1)
        harness.lease.term += 1
        gemini.finish()
        await harness.wait_for(lambda: senders[0].open_synchronous == 0)
        calls = len(gemini.jobs)
        # Either may have been the first to send its call.
        await harness.run_rounds(step=1, rounds=5)
        ends = sorted([await harness.read_job(job.id) for job in jobs], key=lambda job: job.state)

        assert calls == 1
        assert [job.state for job in ends] == [State.DONE, State.FAILED]
        assert [(job.fault, job.charged) for job in ends] == [(None, jobs[0].price), (FaultKind.STORAGE, 0)]


def opened(monkeypatch: pytest.MonkeyPatch) -> list[call_sender.CallSender]:
    """Return the list of the senders built from now on."""
    senders: list[call_sender.CallSender] = []
    build = call_sender.CallSender.__init__

    def note(self: call_sender.CallSender, **parts: Any) -> None:
        build(self, **parts)
        senders.append(self)

    monkeypatch.setattr(call_sender.CallSender, "__init__", note)
    return senders


async def test_input_that_is_gone_ends_the_job_without_a_call(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    gemini: GeminiServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def read(*_: object) -> bytes:
        raise ImageError(ImageProblem.GONE, "store")

    async with studio(sqlite_database, tmp_path, image_host, gemini, None) as harness:
        monkeypatch.setattr(ImageService, "read", read)
        job = await create(harness, image_host)
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)

        assert (failed.fault, failed.charged) == (FaultKind.INPUT_GONE, 0)
        assert gemini.jobs == []
