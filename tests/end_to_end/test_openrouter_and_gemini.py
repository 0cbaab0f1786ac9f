"""OpenRouter with its own list of models, and Gemini, in the real process."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.discord import text
from sandbox.providers import Endpoint, GeminiServer, Latency, OpenRouterServer, derives_from
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images
from tests.support.image_server import drawn

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-end-to-end-0123456789"
AT_ONCE = Latency(queue=0.0, work=0.0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def openrouter() -> AsyncIterator[OpenRouterServer]:
    """Yield the fake of OpenRouter."""
    server = OpenRouterServer(key=KEY, latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gemini() -> AsyncIterator[GeminiServer]:
    """Yield the fake of Gemini."""
    server = GeminiServer(key=KEY, latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    tmp_path_factory: pytest.TempPathFactory, openrouter: OpenRouterServer, gemini: GeminiServer
) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with both."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(
            DEFAULT_ALLOWANCE="1000",
            PROVIDER_ORDER="gemini,openrouter",
            OPENROUTER_API_KEY=KEY,
            OPENROUTER_API_URL=f"{openrouter.url}/api/v1",
            OPENROUTER_MODELS="all",
            GEMINI_API_KEY=KEY,
            GEMINI_API_URL=f"{gemini.url}/v1beta",
            LOG_LEVEL="DEBUG",
        )
        yield system
    finally:
        await system.close()


async def test_model_of_the_list_makes_pictures_for_its_computed_price(
    system: SystemHarness, openrouter: OpenRouterServer
) -> None:
    asked = await system.discord.actor("member").slash(
        "imagine", prompt="a heron", images=2, model="qwen-image-3", options={"seed": 7, "format": "webp"}
    )
    card = await asked.wait_until(has_images)

    assert tuple(await system.pictures(card)) == openrouter.jobs[-1].pictures
    assert "16 credits" in text(card)
    body = openrouter.requests[-1].body
    assert (body["model"], body["n"], body["seed"], body["output_format"]) == ("qwen/qwen-image-3", 2, 7, "webp")
    assert (await system.ledger()).problems == []


async def test_pictures_of_gemini_are_one_call_each(system: SystemHarness, gemini: GeminiServer) -> None:
    asked = await system.discord.actor("member").slash("imagine", prompt="a wren", images=3, model="nano-banana-2.1")
    card = await asked.wait_until(has_images)

    drawn_ = [job.pictures[0] for job in gemini.jobs if job.request.prompt == "a wren"]
    assert sorted(await system.pictures(card)) == sorted(drawn_)
    assert len(drawn_) == 3
    assert "30 credits" in text(card)


async def test_edit_at_gemini_sends_the_photo(system: SystemHarness, gemini: GeminiServer) -> None:
    photo = drawn(size=(640, 360))
    asked = await system.discord.actor("member").slash(
        "edit", prompt="at night", image=png(photo), model="nano-banana-2.1"
    )
    (picture,) = await system.pictures(await asked.wait_until(has_images))

    assert derives_from(picture, photo)
    assert gemini.jobs[-1].request.model == "gemini-nano-banana-2.1"


async def test_lost_reply_of_openrouter_costs_nothing(system: SystemHarness, openrouter: OpenRouterServer) -> None:
    openrouter.faults.play("reply_lost")
    submits = sum(each.endpoint is Endpoint.SUBMIT for each in openrouter.requests)
    asked = await system.discord.actor("member").slash("imagine", prompt="a lost owl", model="qwen-image-3")
    await asked.wait_until(lambda card: "othing was charged" in text(card))

    assert sum(each.endpoint is Endpoint.SUBMIT for each in openrouter.requests) == submits + 1
    assert not [charge for charge in openrouter.billed if charge.prompt == "a lost owl"]
    assert (await system.ledger()).problems == []


async def test_refusal_of_gemini_is_about_the_prompt(system: SystemHarness, gemini: GeminiServer) -> None:
    gemini.faults.play("refused_output")
    asked = await system.discord.actor("member").slash("imagine", prompt="a rude crow", model="nano-banana-2.1")
    card = await asked.wait_until(lambda card: "othing was charged" in text(card))

    assert "rewording" in text(card)


async def test_log_has_no_key_and_no_prompt(system: SystemHarness) -> None:
    log = system.log()

    assert "openrouter.models_read" in log
    for secret in (KEY, "heron", "wren", "owl", "crow"):
        assert secret not in log
