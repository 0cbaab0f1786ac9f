"""Fatal decodings: counted, and given up."""

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.domain.errors import FaultKind
from bot.domain.jobs import State
from bot.engine import engine as engine_module
from bot.images.decoder_pool import DecoderLimits, DecoderPool
from db.database import Database
from sandbox.providers import Reve2ImgServer
from tests.engine.edit_requests import edit_harness, edit_request
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.test_inputs import read_held
from tests.images.samples import encoded
from tests.support.factories import make_context
from tests.support.image_server import ImageServer, drawn


@functools.cache
def large() -> bytes:
    """Return a picture of nine million pixels."""
    return encoded(Image.new("RGB", (3_000, 3_000)), compress_level=1)


class MortalDecoders(DecoderPool):
    """Decoders with no time for their first `deaths` calls: they are killed."""

    def __init__(self, deaths: int) -> None:
        super().__init__(limits=DecoderLimits(wall_seconds=0))
        self.deaths = deaths
        self.calls = 0

    async def _call(self, call: Any) -> Any:
        self.calls += 1
        if self.calls > self.deaths:
            self._limits = DecoderLimits()
        return await super()._call(call)


class GatedDecoders(DecoderPool):
    """Decoders behind a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun = 0

    async def _call(self, call: Any) -> Any:
        self.begun += 1
        await self.gate.wait()
        return await super()._call(call)


async def read_tries(harness: EngineHarness, job_id: str) -> int:
    """Return the stored count."""
    return (await harness.read_job(job_id)).decode_tries


async def test_job_fails_after_third_death_of_its_decoder(
    database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(database, tmp_path, image_host, reve2img) as harness:
        harness.image_service._decoders = decoders = MortalDecoders(deaths=99)
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.decode_tries, decoders.calls) == (FaultKind.INPUT_UNDECODABLE, 3, 3)
        assert (await read_held(harness), await harness.run_audit()) == (0, [])
        assert (harness.clock.now() - job.created_at).total_seconds() < 20


async def test_job_goes_on_after_second_death_of_its_decoder(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        harness.image_service._decoders = decoders = MortalDecoders(deaths=2)
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        running = await harness.wait_for_state(job.id, State.RUNNING, step=1)
        assert (running.decode_tries, decoders.calls) == (0, 3)


async def test_deaths_of_several_inputs_count_together(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        harness.image_service._decoders = decoders = MortalDecoders(deaths=99)
        urls = [image_host.put(f"{number}.png", drawn()) for number in range(4)]
        job = await harness.create_job(request=edit_request(*urls))
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, decoders.calls) == (FaultKind.INPUT_UNDECODABLE, 4)


async def test_large_input_is_counted_before_it_is_decoded_and_not_after(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        harness.image_service._decoders = decoders = GatedDecoders()
        job = await harness.create_job(request=edit_request(image_host.put("a.png", large())))
        await harness.wait_for(lambda: decoders.begun)
        assert await read_tries(harness, job.id) == 1
        decoders.gate.set()
        await harness.wait_for_state(job.id, State.RUNNING)
        assert await read_tries(harness, job.id) == 0


async def test_small_input_costs_no_transaction_before_it_is_decoded(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        harness.image_service._decoders = decoders = GatedDecoders()
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        await harness.wait_for(lambda: decoders.begun)
        assert await read_tries(harness, job.id) == 0
        decoders.gate.set()


async def test_stop_amid_decoding_does_not_count(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    reve2img: Reve2ImgServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "_GRACE_SECONDS", 0.0)
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        harness.image_service._decoders = decoders = GatedDecoders()
        job = await harness.create_job(request=edit_request(image_host.put("a.png", large())))
        await harness.wait_for(lambda: decoders.begun)
        await harness.engine.stop()
        held = await harness.read_job(job.id)
        assert (held.state, held.prepared, held.decode_tries) == (State.HELD, False, 0)
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, clock=harness.clock) as successor:
        await successor.wait_for_state(job.id, State.RUNNING, step=1)


async def test_job_whose_decoding_ended_bot_three_times_fails_unopened(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, start=False) as harness:
        job = await harness.create_job(request=edit_request(image_host.put("a.png", large())))
        await harness.input_store.add_decode_tries(job.id, number=3)
        await harness.engine.start()
        failed = await harness.wait_for_state(job.id, State.FAILED)
        assert (failed.fault, image_host.taken) == (FaultKind.INPUT_UNDECODABLE, [])
        assert (await read_held(harness), await harness.run_audit()) == (0, [])


async def test_jobs_whose_decoding_ended_bot_are_taken_up_one_at_a_time(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """Others do not wait, and the count grows with each new decoding."""
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, start=False) as harness:
        harness.image_service._decoders = decoders = GatedDecoders()
        jobs = [
            await harness.create_job(
                place=make_context(interaction_id=member, member_id=member),
                request=edit_request(image_host.put(f"{member}.png", large())),
            )
            for member in (1, 2, 3)
        ]
        await harness.input_store.add_decode_tries(jobs[0].id, jobs[1].id)
        await harness.engine.start()
        await harness.wait_for(lambda: decoders.begun == 2)
        await harness.run_rounds()
        assert sorted([await read_tries(harness, job.id) for job in jobs]) == [1, 1, 2]
        assert await read_tries(harness, jobs[2].id) == 1

        decoders.gate.set()
        for job in jobs:
            await harness.wait_for_state(job.id, State.RUNNING, step=1)
            assert await read_tries(harness, job.id) == 0


async def test_result_that_ends_its_decoder_three_times_is_unusable(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.image_service._decoders = decoders = MortalDecoders(deaths=99)
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.finish()
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged, decoders.calls) == (FaultKind.NO_PICTURES, 0, 3)
        assert (await read_held(harness), await harness.run_audit()) == (0, [])


async def test_result_is_stored_after_second_death_of_its_decoder(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.image_service._decoders = MortalDecoders(deaths=2)
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        harness.server.finish()
        assert (await harness.wait_for_state(job.id, State.DONE, step=1)).charged == 12


async def test_member_prepares_three_jobs_at_a_time(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """The files of one member's jobs take neither all places nor the disk."""
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        image_host.gate.clear()
        for number in range(5):
            await harness.create_job(
                place=make_context(interaction_id=number),
                request=edit_request(image_host.put(f"{number}.png", drawn())),
            )
        await harness.wait_for(lambda: len(image_host.taken) == 3)
        await harness.run_rounds()
        assert len(image_host.taken) == 3
        stranger = await harness.create_job(
            place=make_context(interaction_id=9, member_id=9), request=edit_request(image_host.put("9.png", drawn()))
        )
        await harness.wait_for(lambda: "9.png" in image_host.taken)
        image_host.gate.set()
        await harness.wait_for_state(stranger.id, State.RUNNING, step=1)
