"""OpenAI, and a service of MODELS_FILE, in the real process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import text
from sandbox.providers import Latency, OpenAiImagesServer, derives_from
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images, says
from tests.support.image_server import drawn

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-end-to-end-0123456789"
SERVICE_KEY = "sk-own-service-0123456789"
PROMPT = "a heron beside a telescope"
AT_ONCE = Latency(queue=0.0, work=0.0)
FILE = """
[services.own-host]
shape = "openai"
profile = "litellm"
url = "{url}"
key_variable = "OWN_HOST_KEY"
display_name = "Our own host"

[models.drafts]
good_at = "drafts"
max_prompt = 2000
credits.text = 3
[models.drafts.offers.own-host]
remote_model = "pictures"
"""


def written(folder: Path, url: str) -> Path:
    """Return the file of models and services."""
    file = folder / "models.toml"
    file.write_text(FILE.format(url=url))
    return file


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def openai() -> AsyncIterator[OpenAiImagesServer]:
    """Yield the fake of OpenAI."""
    server = OpenAiImagesServer(key=KEY, latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def service() -> AsyncIterator[OpenAiImagesServer]:
    """Yield the fake of a service of the operator's own."""
    server = OpenAiImagesServer(profile="litellm", key=SERVICE_KEY, latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    tmp_path_factory: pytest.TempPathFactory, openai: OpenAiImagesServer, service: OpenAiImagesServer
) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with both."""
    folder = tmp_path_factory.mktemp("system")
    file = written(folder, f"{service.url}/v1")
    system = SystemHarness(folder)
    try:
        await system.start(
            DEFAULT_ALLOWANCE="1000",
            PROVIDER_ORDER="openai,own-host",
            OPENAI_API_KEY=KEY,
            OPENAI_API_URL=f"{openai.url}/v1",
            OWN_HOST_KEY=SERVICE_KEY,
            MODELS_FILE=str(file),
            LOG_LEVEL="DEBUG",
        )
        yield system
    finally:
        await system.close()


async def test_pictures_of_an_answer_reach_the_card_with_their_provenance(
    system: SystemHarness, openai: OpenAiImagesServer
) -> None:
    asked = await system.discord.actor("member").slash("imagine", prompt=PROMPT, images=2, model="gpt-image-2.6-flare")
    card = await asked.wait_until(has_images)
    pictures = await system.pictures(card)

    assert tuple(pictures) == openai.jobs[-1].pictures
    assert len(openai.billed) == 1
    assert "10 credits" in text(card)
    assert (await system.ledger()).problems == []


async def test_edit_sends_the_sanitized_photo(system: SystemHarness, openai: OpenAiImagesServer) -> None:
    photo = drawn(size=(640, 360))
    asked = await system.discord.actor("member").slash(
        "edit", prompt="at night", image=png(photo), model="gpt-image-2.5-flare"
    )
    (picture,) = await system.pictures(await asked.wait_until(has_images))

    assert derives_from(picture, photo)
    assert openai.requests[-1].path == "/v1/images/edits"


async def test_refused_prompt_costs_nothing(system: SystemHarness, openai: OpenAiImagesServer) -> None:
    openai.faults.play("refused_output")
    billed = len(openai.billed)
    asked = await system.discord.actor("member").slash("imagine", prompt=PROMPT, model="gpt-image-2.6-flare")
    await asked.wait_until(says("refused this prompt"))

    assert len(openai.billed) == billed
    assert (await system.ledger()).problems == []


async def test_service_of_models_file_generates_and_is_named(
    system: SystemHarness, service: OpenAiImagesServer
) -> None:
    asked = await system.discord.actor("member").slash("imagine", prompt=PROMPT, model="drafts")
    (picture,) = await system.pictures(await asked.wait_until(has_images))
    assert (picture,) == service.jobs[0].pictures

    status = await (await system.discord.actor("member").slash("status")).response()
    assert "Our own host: working" in text(status)


async def test_log_has_no_key_and_no_prompt(system: SystemHarness) -> None:
    log = system.log()

    assert log
    for secret in (KEY, SERVICE_KEY, PROMPT, "telescope"):
        assert secret not in log
