"""ComfyUI with the example workflows in the real process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import text
from sandbox.providers import MANUAL, State, derives_from, expected_mark, read_manifest, read_mark
from sandbox.providers.comfy import ComfyServer
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.sandbox.providers.comfy_support import png_chunks
from tests.support.image_server import drawn

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORKFLOWS = Path(__file__).parents[2] / "docs/workflows"
PROMPT = "a heron beside a telescope"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def comfy() -> AsyncIterator[ComfyServer]:
    """Yield the fake of ComfyUI."""
    server = ComfyServer(latency=MANUAL)
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory, comfy: ComfyServer) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with ComfyUI alone."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(
            DEFAULT_ALLOWANCE="1000",
            PROVIDER_ORDER="comfyui",
            COMFYUI_URL=comfy.url,
            COMFYUI_WORKFLOWS=str(WORKFLOWS),
        )
        yield system
    finally:
        await system.close()


async def test_pictures_lose_the_prompt_and_keep_their_provenance(system: SystemHarness, comfy: ComfyServer) -> None:
    asked = await system.discord.actor("member").slash("imagine", prompt=PROMPT, images=2)
    await asked.response()
    await comfy.wait_for(lambda: len(comfy.jobs) == 2)
    for job in comfy.jobs:
        await comfy.finish_and_wait(job)
    card = await asked.wait_until(has_images)
    pictures = await system.pictures(card)

    assert "4 credits" in text(card)
    assert [PROMPT in comfy.prompts[job.id].text_chunks["prompt"] for job in comfy.jobs] == [True, True]
    assert len(set(pictures)) == 2
    for picture in pictures:
        assert not {kind for kind, _ in png_chunks(picture)} & {b"tEXt", b"zTXt", b"iTXt"}
        assert PROMPT.encode() not in picture
        assert b"KSampler" not in picture
        assert read_manifest(picture) is not None
        assert read_mark(picture) == expected_mark(PROMPT, 0)
    assert (await system.ledger()).problems == []


async def test_edit_of_a_photo_is_made_by_the_workflow_for_edits(system: SystemHarness, comfy: ComfyServer) -> None:
    photo = drawn(size=(640, 360))
    asked = await system.discord.actor("member").slash("edit", prompt="at night", image=png(photo))
    await asked.response()
    await comfy.finish_and_wait(await wait_for_provider_job(comfy, "at night"))
    (picture,) = await system.pictures(await asked.wait_until(has_images))

    assert derives_from(picture, photo)
    assert b"at night" not in picture


async def test_cancel_of_a_queued_job_returns_its_credits(system: SystemHarness, comfy: ComfyServer) -> None:
    member = system.discord.actor("member")
    asked = await member.slash("imagine", prompt="to be cancelled")
    card = await asked.response()
    job = await wait_for_provider_job(comfy, "to be cancelled")
    await (await member.click(card, label="Cancel")).acknowledged()
    card = await asked.wait_until(says("Cancelled"))

    assert "Nothing was charged: 2 credits returned" in text(card)
    assert job.state is State.CANCELLED


async def test_job_is_found_after_a_lost_reply(system: SystemHarness, comfy: ComfyServer) -> None:
    comfy.faults.play("reply_lost")
    asked = await system.discord.actor("member").slash("imagine", prompt="lost and found")
    await asked.response()
    await comfy.finish_and_wait(await wait_for_provider_job(comfy, "lost and found"))
    await asked.wait_until(has_images)

    assert [job.request.prompt for job in comfy.jobs].count("lost and found") == 1
    assert (await system.ledger()).problems == []
