"""Generations and edits of OpenAI's Images API, and their costs."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bot.domain.costs import CostSource, usd
from bot.domain.errors import FaultKind
from bot.domain.models import ListPrice
from bot.domain.options import RATIOS
from bot.providers.base import Failed, InputForm, LostCall
from bot.providers.model_list import ListedModel
from bot.providers.openai_images.profiles import list_models
from bot.providers.openai_images.sizes import pixels
from bot.providers.registry import PROVIDERS
from sandbox.providers import OpenAiImagesServer
from tests.providers.openai_support import (
    AT_ONCE,
    KEY,
    LOCAL,
    MODELS,
    PREFIXES,
    PROFILES,
    PROMPT,
    WITH_EDITS,
    OpenAiBench,
    input_image,
    picture,
    request_of,
)
from tests.providers.provider_harness import RawServer, json_reply
from tests.support.submissions import SEED, submission


@pytest.fixture
async def bench(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> AsyncIterator[OpenAiBench]:
    """Yield a provider with its fake."""
    profile: str = request.param
    server = OpenAiImagesServer(profile=profile, key=KEY, latency=AT_ONCE)
    await server.start()
    yield OpenAiBench(profile=profile, server=server, client=client)
    await server.close()


def with_profiles(*profiles: str) -> pytest.MarkDecorator:
    """Run a test with the fake of each profile."""
    return pytest.mark.parametrize("bench", profiles, indirect=True)


def test_profiles_answer_with_the_images_and_take_files(client: httpx.AsyncClient) -> None:
    for name in PROFILES:
        spec = PROVIDERS[name]
        provider = spec.build(spec.open_http(client, "http://127.0.0.1/v1", None))
        assert provider.is_synchronous
        assert provider.input_form is InputForm.FILE
        assert not provider.takes_webhooks
        assert spec.needs_key is (name in ("openai", "azure", "xai"))


@with_profiles(*PROFILES)
async def test_generation_returns_the_bytes_of_the_service(bench: OpenAiBench) -> None:
    finished = await bench.finish()

    (job,) = bench.server.jobs
    assert finished.image_files == job.pictures
    assert len(finished.image_files) == (1 if bench.profile == "ollama" else 2)
    assert (finished.image_urls, finished.handle) == ((), None)


FIELDS: dict[str, dict[str, Any]] = {
    "openai": {"n": 2, "size": "1360x768", "quality": "medium", "safety_identifier": "member-tag"},
    "azure": {"n": 2, "size": "1360x768", "quality": "medium", "safety_identifier": "member-tag"},
    "xai": {"n": 2, "aspect_ratio": "16:9", "response_format": "b64_json"},
    "litellm": {"n": 2, "size": "1360x768"},
    "localai": {"n": 2, "size": "1360x768", "response_format": "b64_json"},
    "vllm": {"n": 2, "size": "1360x768", "response_format": "b64_json", "seed": SEED},
    "ollama": {"size": "1360x768", "response_format": "b64_json"},
}


@with_profiles(*PROFILES)
async def test_generation_sends_only_the_fields_of_the_profile(bench: OpenAiBench) -> None:
    await bench.finish(aspect_ratio="16:9")

    assert bench.sent == {"model": MODELS[bench.profile], "prompt": PROMPT, **FIELDS[bench.profile]}


@with_profiles("openai", "xai")
async def test_resolution_and_format_are_sent_where_they_exist(bench: OpenAiBench) -> None:
    await bench.finish(aspect_ratio="3:4", resolution="2K", format="webp")

    if bench.profile == "openai":
        assert (bench.sent["size"], bench.sent["output_format"]) == ("1776x2368", "webp")
    else:
        assert (bench.sent["aspect_ratio"], bench.sent["resolution"]) == ("3:4", "2k")
        assert not {"size", "output_format"} & bench.sent.keys()


@with_profiles(*PROFILES)
async def test_quality_and_transparency_are_sent_where_they_exist(bench: OpenAiBench) -> None:
    await bench.finish(quality="low", transparent=True)

    expected = {
        "openai": ("low", "transparent"),
        "azure": ("low", "transparent"),
        "xai": ("low", None),
        "litellm": ("low", "transparent"),
    }
    assert (bench.sent.get("quality"), bench.sent.get("background")) == expected.get(bench.profile, (None, None))


@with_profiles(*PROFILES)
async def test_seed_is_sent_where_it_exists(bench: OpenAiBench) -> None:
    await bench.finish(seed=0)

    assert bench.sent.get("seed") == (0 if bench.profile == "vllm" else None)


@with_profiles("localai", "vllm")
async def test_negative_prompt_follows_a_mark_where_it_exists(bench: OpenAiBench) -> None:
    await bench.finish(prompt="a fox | a hen", negative="rain")

    assert bench.sent["prompt"] == ("a fox   a hen|rain" if bench.profile == "localai" else "a fox | a hen")


@with_profiles(*PROFILES)
async def test_automatic_ratio_is_left_to_the_service(bench: OpenAiBench) -> None:
    await bench.finish(aspect_ratio="auto")

    expected = {"openai": "auto", "azure": "auto"}.get(bench.profile)
    assert bench.sent.get("size") == expected
    assert bench.sent.get("aspect_ratio") == ("auto" if bench.profile == "xai" else None)


@with_profiles("openai", "vllm")
async def test_resolution_of_an_automatic_ratio_is_sent(bench: OpenAiBench) -> None:
    """It was paid for; an edit has the ratio of its first input."""
    await bench.finish(aspect_ratio="auto", resolution="2K")
    await bench.finish(picture(), aspect_ratio="auto", resolution="2K")

    assert [each.body["size"] for each in bench.server.requests] == ["2048x2048", "2512x1680"]


@with_profiles(*WITH_EDITS)
async def test_edit_sends_the_input_files(bench: OpenAiBench) -> None:
    finished = await bench.finish(picture(), picture(64, 96))

    (job,) = bench.server.jobs
    assert [(each.width, each.height) for each in job.inputs] == [(96, 64), (64, 96)]
    assert finished.image_files == job.pictures
    assert bench.server.requests[0].path.endswith("/images/edits")


@with_profiles("xai")
async def test_single_input_of_a_json_edit_is_no_list(bench: OpenAiBench) -> None:
    await bench.finish(picture())

    assert bench.sent["image"]["type"] == "image_url"
    assert bench.sent["image"]["url"].startswith("data:image/png;base64,")
    assert "images" not in bench.sent


@with_profiles("localai", "ollama")
async def test_edit_without_support_is_refused_before_it_is_sent(bench: OpenAiBench) -> None:
    fault = await bench.fail(picture())

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.INVALID, False)
    assert not bench.server.requests


@with_profiles("openai")
async def test_missing_input_file_is_refused_before_it_is_sent(bench: OpenAiBench) -> None:
    fault = await bench.fail(inputs=(input_image(),))

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.INVALID, False)
    assert not bench.server.requests


@with_profiles("azure")
async def test_api_version_puts_the_deployment_in_the_path(bench: OpenAiBench) -> None:
    provider = bench.provider(url=f"{bench.server.url}/openai", api_version="2025-04-01-preview")
    await bench.finish(provider=provider)
    await bench.finish(picture(), provider=provider)

    text, edit = bench.server.requests
    assert text.path == "/openai/deployments/pictures/images/generations"
    assert edit.path == "/openai/deployments/pictures/images/edits"
    assert text.query == edit.query == {"api-version": "2025-04-01-preview"}
    assert "model" not in text.body


@with_profiles("azure")
async def test_azure_key_is_in_its_own_header(bench: OpenAiBench) -> None:
    await bench.finish()

    headers = bench.server.requests[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers


@with_profiles("litellm")
async def test_proxy_is_asked_not_to_repeat_the_call(bench: OpenAiBench) -> None:
    await bench.finish()

    assert bench.server.requests[0].headers["x-litellm-num-retries"] == "0"


@with_profiles("openai", "azure")
async def test_cost_is_computed_from_the_counted_tokens(bench: OpenAiBench) -> None:
    finished = await bench.finish(picture())

    assert finished.cost == usd(Decimal(bench.server.billed[0].cost), CostSource.COMPUTED)
    assert finished.cost is not None
    assert finished.cost.amount > 0


@with_profiles("openai")
async def test_cost_without_token_counts_or_prices_is_unknown(bench: OpenAiBench) -> None:
    without_prices = replace(bench.offer, token_prices=None)
    assert (await bench.finish(offer=without_prices)).cost is None
    bench.server.faults.play("no_usage")
    assert (await bench.finish()).cost is None


@with_profiles("xai", "litellm")
async def test_reported_cost_is_taken_as_it_is(bench: OpenAiBench) -> None:
    finished = await bench.finish()

    assert finished.cost == usd(Decimal(bench.server.billed[0].cost), CostSource.REPORTED)


@with_profiles(*LOCAL)
async def test_local_service_costs_nothing_unless_it_has_a_list_price(bench: OpenAiBench) -> None:
    assert (await bench.finish()).cost == usd(Decimal(0), CostSource.COMPUTED)
    price = ListPrice(valid_from=date(2026, 1, 1), text=Decimal("0.01"))
    assert (await bench.finish(offer=replace(bench.offer, list_prices=(price,)))).cost is None


@with_profiles(*PROFILES)
async def test_lost_call_costs_nothing_on_an_own_machine(bench: OpenAiBench) -> None:
    found = await bench.provider().find_lost(submission(request_of(bench.profile), bench.offer))

    assert found is (LostCall.NOT_BILLED if bench.profile in LOCAL else LostCall.UNDECIDED)


@with_profiles("localai")
async def test_address_of_an_image_is_returned_as_one(bench: OpenAiBench) -> None:
    """An older LocalAI always answers with addresses."""
    body = '{"data": [{"url": "http://127.0.0.1:8080/generated-images/a.png"}, {"url": "file:///etc/passwd"}]}'
    async with RawServer(json_reply(body)) as server:
        finished = await bench.finish(provider=bench.provider(url=server.url))

    assert finished.image_urls == ("http://127.0.0.1:8080/generated-images/a.png",)
    assert finished.image_files == ()


@with_profiles("openai")
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"data": []}', FaultKind.NO_PICTURES),
        ('{"data": [{"b64_json": "***"}, 7]}', FaultKind.NO_PICTURES),
        ('{"error": {"message": "blocked by the content policy"}}', FaultKind.CONTENT),
        ('{"error": {"message": "the runner stopped"}}', FaultKind.GENERATION),
    ],
)
async def test_success_without_images_is_a_failure(bench: OpenAiBench, body: str, kind: FaultKind) -> None:
    async with RawServer(json_reply(body)) as server:
        answer = await bench.submit(provider=bench.provider(url=server.url))

    assert isinstance(answer, Failed)
    assert answer.kind is kind


@with_profiles("openai")
async def test_fewer_images_than_asked_are_returned(bench: OpenAiBench) -> None:
    async with RawServer(json_reply('{"data": [{"b64_json": "aGVsbG8="}]}')) as server:
        finished = await bench.finish(images=4, provider=bench.provider(url=server.url))

    assert finished.image_files == (b"hello",)


@with_profiles(*(name for name in PROFILES if name != "azure"))
async def test_models_are_listed_with_their_shutdowns(bench: OpenAiBench) -> None:
    spec = PROVIDERS[bench.profile]
    http = spec.open_http(bench.client, bench.server.url + PREFIXES.get(bench.profile, "/v1"), KEY)
    assert spec.list_models is not None

    listed = await spec.list_models(http)

    assert MODELS[bench.profile] in [model.id for model in listed]
    if bench.profile == "openai":
        assert ListedModel(id="gpt-image-1.5", shuts_down=date(2026, 12, 1)) in listed


@with_profiles("ollama")
async def test_usual_tag_of_a_model_may_be_left_out(bench: OpenAiBench) -> None:
    body = '{"data": [{"id": "x/z-image-turbo:latest", "shutdown_date": "soon"}, {"id": 3}]}'
    async with RawServer(json_reply(body)) as server:
        spec = PROVIDERS["ollama"]
        listed = await list_models(spec.open_http(bench.client, server.url, None))

    assert listed == (ListedModel(id="x/z-image-turbo:latest"), ListedModel(id="x/z-image-turbo"))


@pytest.mark.parametrize("resolution", [None, "1K", "2K", "4K"])
@pytest.mark.parametrize("source", [(100, 700), (700, 100), (640, 480), (999, 1000)])
@pytest.mark.parametrize("ratio", [ratio for ratio in RATIOS if ratio not in ("4:1", "1:4")])
def test_size_is_within_the_limits_of_the_service(ratio: str, resolution: str | None, source: tuple[int, int]) -> None:
    size = pixels(ratio, resolution, source=source)

    assert size is not None
    width, height = map(int, size.split("x"))
    assert width % 16 == height % 16 == 0
    assert 655_360 <= width * height <= 8_294_400
    assert max(width, height) <= min(3840, 3 * min(width, height))


def test_ratio_of_an_own_machine_may_be_wider() -> None:
    assert pixels("4:1", None) == "2048x512"
    assert pixels("1:4", "4K") == "960x3840"
