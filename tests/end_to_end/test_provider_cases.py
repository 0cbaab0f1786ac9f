"""Every image API in one running bot: pictures, edits and named cases.

A case is played once. The card's words, the charge, the ledger and the calls are checked, then the log.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.discord import Message, media, text
from sandbox.image_apis import ImageApis
from sandbox.providers import Endpoint, ImageApiServer, Latency, derives_from
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images
from tests.support.image_server import drawn

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "pangolin"
"""A word of all prompts."""

SETTINGS = {
    "DEFAULT_ALLOWANCE": "100000",
    "MAX_ACTIVE_JOBS_PER_MEMBER": "20",
    "FREE_REPEATS": "1000",
    "LOG_LEVEL": "DEBUG",
}

# Other providers would take a refused job for OpenRouter's shipped models.
FILE = """
[models.routed]
good_at = "drafts"
max_prompt = 2000
credits.text = 10
offers.openrouter = { remote_model = "google/gemini-nano-banana-2.1", images_per_call = 1, options = { format = [] } }
"""
MODELS = {
    "fal": "ideogram-4",
    "bfl": "flux-2-max",
    "openai": "gpt-image-2.6-flare",
    "openrouter": "routed",
    "gemini": "gemini-3.1-flash-lite-image",
    "comfyui": "local-sdxl",
}
"""A model that only this provider has."""

PICTURES = "A picture"
REFUSED = "refused this prompt"
INVALID = "did not accept this request"
FAILED = "could not make this picture"
EMPTY = "sent no usable picture"
UNKNOWN = "outcome is unknown"
UNREACHABLE = "cannot be reached"
FAULTY = "has a fault"

# After other lost calls fal is asked for as long as its history may be late.
# Lost replies stand between others: five in a row would close a provider.
CASES = {
    "fal": {
        "refused_input": REFUSED,
        "reply_lost": PICTURES,  # its history has the request
        "refused_input_text": REFUSED,
        "reply_half": PICTURES,
        "refused_output": REFUSED,
        "nothing": EMPTY,
        "bad_input": FAILED,
        "startup_timeout": UNREACHABLE,
        "runner_disconnected": FAULTY,
        "bad_request": INVALID,
        "picture_gone": EMPTY,
    },
    "bfl": {
        "refused_input": REFUSED,
        "reply_lost": UNKNOWN,
        "refused_output": REFUSED,
        "reply_half": UNKNOWN,
        "moderated_503": REFUSED,
        "overloaded": UNKNOWN,
        "nothing": EMPTY,
        "server_error": UNKNOWN,
        "bad_input": INVALID,
        "failed": FAILED,
        "unknown_field": INVALID,
        "overloaded_task": PICTURES,
        "sample_expired": EMPTY,
    },
    "openai": {
        "refused_input": REFUSED,
        "reply_lost": UNKNOWN,
        "refused_output": REFUSED,
        "reply_half": UNKNOWN,
        "refused_policy": REFUSED,
        "overloaded": UNKNOWN,
        "nothing": EMPTY,
        "server_error_late": UNKNOWN,
        "bad_input": INVALID,
        "no_usage": PICTURES,
    },
    "openrouter": {
        "refused_input": REFUSED,
        "reply_lost": UNKNOWN,
        "refused_input_flagged": REFUSED,
        "reply_half": UNKNOWN,
        "refused_output": REFUSED,
        "edge_timeout": UNKNOWN,
        "nothing": EMPTY,
        "bad_input": INVALID,
    },
    "gemini": {
        "refused_input": REFUSED,
        "reply_lost": UNKNOWN,
        "refused_output": REFUSED,
        "reply_half": UNKNOWN,
        "nothing": EMPTY,
        "overloaded": UNKNOWN,
        "only_thoughts": EMPTY,
        "server_error": UNKNOWN,
        "failed_image_other": FAILED,
        "bad_input": INVALID,
    },
    "comfyui": {
        "reply_lost": PICTURES,  # found by the prompt's id
        "reply_half": PICTURES,
        "nothing": EMPTY,
        "execution_error": FAILED,
        "interrupted": "Cancelled",
        "long_queue": PICTURES,
        "view_gone": PICTURES,  # read again
    },
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def apis() -> AsyncIterator[ImageApis]:
    """Yield all fakes; they answer at once."""
    apis = ImageApis()
    for server in apis.servers.values():
        server.latency = Latency(queue=0, work=0)
    await apis.start()
    yield apis
    await apis.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory, apis: ImageApis) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with all providers."""
    folder = tmp_path_factory.mktemp("system")
    write_models(folder)
    system = SystemHarness(folder)
    try:
        await system.start_fakes()
        await start_bot(system, apis)
        yield system
    finally:
        await system.close()


def write_models(folder: Path) -> None:
    """Write the file of models."""
    (folder / "models.toml").write_text(FILE)


async def start_bot(system: SystemHarness, apis: ImageApis, **settings: str) -> None:
    """Start the bot with all providers."""
    await system.start_bot(**SETTINGS, **apis.environment(), **settings, MODELS_FILE=str(system.folder / "models.toml"))


async def restart_bot(system: SystemHarness, apis: ImageApis, **settings: str) -> None:
    """Restart the bot, so that it uses all providers again."""
    await system.stop_bot()
    await start_bot(system, apis, **settings)


def is_final(message: Message) -> bool:
    """Return whether a job ended with images, or for nothing."""
    return has_images(message) or "Nothing was charged" in text(message)


def posts(server: ImageApiServer) -> int:
    """Return the number of paid calls so far."""
    return sum(request.endpoint is Endpoint.SUBMIT for request in server.requests)


def _is_played(server: ImageApiServer) -> bool:
    return not server.faults.as_json()


async def play(system: SystemHarness, server: ImageApiServer, provider: str, case: str) -> Message:
    """Play a case in a job of the member, and return its final card."""
    server.faults.play(case)
    asked = await system.discord.actor("member").slash(
        "imagine", prompt=f"a {SECRET}, {provider} {case}", model=MODELS[provider]
    )
    return await asked.wait_until(is_final, timeout=15)


@pytest.mark.parametrize("provider", MODELS)
async def test_pictures_and_edits_of_each_provider_reach_the_card(
    system: SystemHarness, apis: ImageApis, provider: str
) -> None:
    model = "flux-3" if provider == "fal" else "nano-banana-2.1" if provider == "openrouter" else MODELS[provider]
    server, member, photo = apis.servers[provider], system.discord.actor("member"), drawn(size=(640, 360))
    asked = await member.slash("imagine", prompt=f"two of a {SECRET}", model=model, images=2)
    card = await asked.wait_until(is_final, timeout=15)
    assert len(set(await system.pictures(card))) == 2
    assert sum(job.request.images for job in server.jobs) == 2

    asked = await member.slash("edit", prompt=f"a {SECRET} at night", image=png(photo), model=model)
    (picture,) = await system.pictures(await asked.wait_until(is_final, timeout=15))
    assert derives_from(picture, photo)
    assert (await system.ledger()).problems == []


@pytest.mark.parametrize(
    ("provider", "case", "words"), [(provider, *each) for provider in CASES for each in CASES[provider].items()]
)
async def test_case_has_its_words_and_charges_pictures_only(
    system: SystemHarness, apis: ImageApis, provider: str, case: str, words: str
) -> None:
    server, before = apis.servers[provider], await system.ledger()
    sent = posts(server)
    card = await play(system, server, provider, case)
    after = await system.ledger()

    assert server.faults.as_json() == []
    assert posts(server) == sent + 1
    assert (after.problems, after.held) == ([], 0)
    if words == PICTURES:
        assert len(media(card)) == 1
        assert after.charged > before.charged
    else:
        assert words in text(card)
        assert "credits returned" in text(card)
        assert (media(card), after.charged) == ([], before.charged)


@pytest.mark.parametrize("case", ["account_empty", "key_refused"])
async def test_job_ends_for_nothing_if_only_the_operator_can_help(
    system: SystemHarness, apis: ImageApis, case: str
) -> None:
    providers = [name for name in MODELS if case in apis.servers[name].cases]
    before = await system.ledger()
    cards = await asyncio.gather(*(play(system, apis.servers[name], name, case) for name in providers))
    after = await system.ledger()
    status = text(await (await system.discord.actor("member").slash("status")).response())

    assert [text(card) for card in cards if "The studio is closed" not in text(card)] == []
    assert (after.problems, after.held, after.charged) == ([], 0, before.charged)
    assert status.count(": closed") == len(providers)
    await restart_bot(system, apis)


async def test_job_of_a_retired_model_ends_for_nothing(system: SystemHarness, apis: ImageApis) -> None:
    before = await system.ledger()
    cards = await asyncio.gather(*(play(system, apis.servers[name], name, "model_retired") for name in MODELS))
    after = await system.ledger()

    assert [text(card) for card in cards if "does not offer this model" not in text(card)] == []
    assert (after.problems, after.held, after.charged) == ([], 0, before.charged)
    await restart_bot(system, apis)


async def test_job_refused_for_its_rate_is_sent_again_and_charged_once(system: SystemHarness, apis: ImageApis) -> None:
    """It names 3 seconds."""
    before, sent = await system.ledger(), posts(apis.fal)
    card = await play(system, apis.fal, "fal", "rate_limited")
    after = await system.ledger()

    assert "20 credits" in text(card)
    assert posts(apis.fal) == sent + 2
    assert (after.problems, after.held, after.charged) == ([], 0, before.charged + 20)


async def test_job_refused_for_its_rate_goes_to_the_next_provider(system: SystemHarness, apis: ImageApis) -> None:
    fal, bfl = apis.fal, apis.bfl
    sent = posts(fal), posts(bfl)
    fal.faults.play("rate_limited")
    asked = await system.discord.actor("member").slash("imagine", prompt=f"a {SECRET}, elsewhere", model="flux-3")

    assert "15 credits" in text(await asked.wait_until(has_images))
    assert (posts(fal), posts(bfl)) == (sent[0] + 1, sent[1] + 1)


async def test_false_webhooks_change_nothing(system: SystemHarness, apis: ImageApis) -> None:
    await restart_bot(system, apis, WEBHOOK_PUBLIC_URL=f"http://127.0.0.1:{system.http_port}")
    for name, case in (("fal", "bad_signature"), ("fal", "webhook_error"), ("bfl", "bad_signature")):
        server, sent = apis.servers[name], posts(apis.servers[name])
        assert has_images(await play(system, server, name, case))
        await server.wait_for(partial(_is_played, server))
        assert posts(server) == sent + 1
    assert (await system.ledger()).problems == []


async def test_log_has_no_prompt_and_no_key(system: SystemHarness, apis: ImageApis) -> None:
    log = system.log()
    keys = [value for name, value in apis.environment().items() if name.endswith("_KEY")]

    assert len(keys) == 8
    assert [secret for secret in (SECRET, *keys) if secret in log] == []
    assert "Traceback" not in log
