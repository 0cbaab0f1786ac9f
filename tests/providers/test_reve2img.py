"""reve2img's specifics: options of its models, envelope, cost, reasons."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.images import InputImage
from bot.domain.models import Offer
from bot.providers.base import CancelOutcome, Failed, Finished, Pending
from bot.providers.http import ProviderHttp
from bot.providers.reve2img import Reve2Img
from sandbox.providers import MANUAL, Reve2ImgServer
from tests.providers.provider_harness import KEY, PROMPT, RawServer, json_reply
from tests.support.catalogue import MODELS, OFFERS, generation_request, price
from tests.support.costs import in_credits
from tests.support.strategies import valid_options
from tests.support.submissions import submission as described

AT_REST = {"model", "prompt", "aspect_ratio", "num_images", "output_format"}
REQUEST = generation_request(prompt=PROMPT)


def offer_of(model: str) -> Offer:
    """Return reve2img's offer of a model."""
    return next(offer for offer in OFFERS if (offer.provider, offer.model) == ("reve2img", model))


OFFER = offer_of("reve-2.0")


@pytest.fixture
async def server() -> AsyncIterator[Reve2ImgServer]:
    """Yield the fake with manually advanced jobs."""
    server = Reve2ImgServer(key=KEY, latency=MANUAL)
    await server.start()
    yield server
    await server.close()


def provider_at(client: httpx.AsyncClient, url: str) -> Reve2Img:
    """Return the client for an address."""
    return Reve2Img(ProviderHttp(name="reve2img", base_url=url, key=KEY, client=client))


async def answer_to_poll(client: httpx.AsyncClient, body: str) -> Any:
    """Return the status parsed from an answer to a poll."""
    async with RawServer(json_reply(body)) as raw:
        return await provider_at(client, raw.url).poll("t1")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(options=valid_options())
async def test_every_offered_request_is_accepted(
    client: httpx.AsyncClient, server: Reve2ImgServer, options: dict[str, Any]
) -> None:
    """The strict fake bills the member's price."""
    request = generation_request(prompt=PROMPT, **options)
    request = replace(request, inputs=tuple(replace(each, provider_url=each.url) for each in request.inputs))

    submission = await provider_at(client, server.url).submit(described(request, offer_of(request.model)))

    assert submission == Pending(handle=server.jobs[-1].id, running=True)
    assert server.billed[-1].cost == price(request)


@pytest.mark.parametrize("model", [model.id for model in MODELS])
async def test_every_model_is_accepted(client: httpx.AsyncClient, server: Reve2ImgServer, model: str) -> None:
    can = offer_of(model).abilities
    request = generation_request(
        prompt=PROMPT,
        model=model,
        aspect_ratio="16:9",
        images=4,
        detail=can["detail"],
        format="jpeg",
        resolution="4K" if can["resolution"] else None,
        version="latest" if can["version"] else None,
    )

    submission = await provider_at(client, server.url).submit(described(request, offer_of(model)))

    assert submission == Pending(handle=server.jobs[0].id, running=True)
    expected: dict[str, object] = {
        "model": model,
        "prompt": PROMPT,
        "aspect_ratio": "16:9",
        "num_images": 4,
        "output_format": "jpeg",
    }
    if can["resolution"]:
        expected["resolution"] = "4K"
    if model == "reve-2.0":
        expected |= {"test_time_scaling": 15, "version": "latest"}
    assert server.requests[0].body == expected


UPSCALE = {"process": "upscale", "upscale_factor": 2}
CUT_OUT = {"process": "remove_background"}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"upscale": "2x"}, {"upscale": "enabled", "upscale_factor": 2}),
        ({"upscale": "4x"}, {"upscale": "enabled", "upscale_factor": 4}),
        ({"remove_background": True}, {"remove_background": True}),
        (
            {"upscale": "3x", "remove_background": True},
            {"upscale": "enabled", "upscale_factor": 3, "remove_background": True},
        ),
        ({"fit": "2048"}, {"postprocessing": [{"process": "fit_image", "max_dim": 2048}]}),
        ({"fit": "2048x"}, {"postprocessing": [{"process": "fit_image", "max_width": 2048}]}),
        ({"fit": "x1024"}, {"postprocessing": [{"process": "fit_image", "max_height": 1024}]}),
        (
            {"fit": "1920x1080", "upscale": "2x"},
            {"postprocessing": [UPSCALE, {"process": "fit_image", "max_width": 1920, "max_height": 1080}]},
        ),
        ({"effect": "film grain"}, {"postprocessing": [{"process": "effect", "effect_name": "film grain"}]}),
        (
            {"effect": "sepia", "upscale": "2x", "remove_background": True, "fit": "64"},
            {
                "postprocessing": [
                    {"process": "effect", "effect_name": "sepia"},
                    UPSCALE,
                    CUT_OUT,
                    {"process": "fit_image", "max_dim": 64},
                ]
            },
        ),
    ],
)
async def test_post_processing_is_flat_or_list(
    client: httpx.AsyncClient, server: Reve2ImgServer, options: dict[str, Any], sent: dict[str, object]
) -> None:
    """Flat fields if sufficient, else one list; never both, and the size last."""
    await provider_at(client, server.url).submit(described(generation_request(prompt=PROMPT, **options), OFFER))

    body = server.requests[0].body
    assert {name: body[name] for name in body if name not in AT_REST} == sent


async def test_edit_sends_image_urls_in_order(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    """`image_urls` makes an edit (seed: "Image-to-image").

    Reve may choose the ratio.
    """
    inputs = tuple(
        InputImage(url=f"https://raw.example/{name}", provider_url=f"https://cdn.example/{name}.png") for name in "ab"
    )
    request = generation_request(prompt=PROMPT, inputs=inputs, aspect_ratio="auto")

    await provider_at(client, server.url).submit(described(request, OFFER))

    body = server.requests[0].body
    assert (body["image_urls"], body["aspect_ratio"]) == ([each.provider_url for each in inputs], "auto")
    assert server.billed[0].cost == 20


async def test_edit_without_provider_address_sends_nothing(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    """The original's address must never leave."""
    request = generation_request(prompt=PROMPT, inputs=(InputImage(url="https://cdn.example/raw.jpg"),))

    with pytest.raises(ProviderError) as refusal:
        await provider_at(client, server.url).submit(described(request, OFFER))

    assert not refusal.value.maybe_accepted
    assert list(server.requests) == []


async def test_error_contains_no_input_address(client: httpx.AsyncClient) -> None:
    """It may contain a secret, and the provider may quote it."""
    url = "https://cdn.example/fox.png?secret=0123456789abcdef"
    request = generation_request(prompt=PROMPT, inputs=(InputImage(provider_url=url),))
    async with RawServer(json_reply(f'{{"code": 400, "message": "cannot fetch {url}"}}', "400 Bad Request")) as raw:
        with pytest.raises(ProviderError) as caught:
            await provider_at(client, raw.url).submit(described(request, OFFER))

    assert "0123456789abcdef" not in str(caught.value)


async def test_default_options_are_not_sent(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    await provider_at(client, server.url).submit(described(REQUEST, OFFER))

    assert set(server.requests[0].body) == AT_REST


async def test_consumed_credits_are_cost(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    provider = provider_at(client, server.url)
    await provider.submit(described(generation_request(prompt=PROMPT, images=2, detail=3), OFFER))
    server.finish()

    finished = await provider.poll(server.jobs[0].id)

    assert isinstance(finished, Finished)
    assert finished.cost == in_credits(12 * 2 * 3)


@pytest.mark.parametrize(
    "data",
    [
        '{"error_message": "timeout"}',
        '{"error": "timeout"}',
        '{"error": {"message": "timeout"}}',
        '{"message": "timeout"}',
        '{"response": {"error": "timeout"}}',
    ],
)
async def test_failure_reason_is_found(client: httpx.AsyncClient, data: str) -> None:
    """In each possible place; "success" of the envelope is no reason."""
    body = f'{{"code": 200, "message": "success", "data": {data[:-1]}, "status": "FAILED"}}}}'

    with structlog.testing.capture_logs() as logs:
        failed = await answer_to_poll(client, body)

    assert [entry["words"] for entry in logs] == ["timeout"]
    assert failed == Failed(kind=FaultKind.GENERATION, handle="t1")


async def test_envelope_message_is_last_reason(client: httpx.AsyncClient) -> None:
    body = '{"code": "200", "message": "no result", "data": {"status": "failed", "consumed_credits": 0}}'

    with structlog.testing.capture_logs() as logs:
        failed = await answer_to_poll(client, body)

    assert failed == Failed(kind=FaultKind.GENERATION, handle="t1", cost=in_credits(0))
    assert [entry["words"] for entry in logs] == ["… result"]


@pytest.mark.parametrize("code", ["402", '"402"'])
async def test_envelope_error_code_is_error(client: httpx.AsyncClient, code: str) -> None:
    """HTTP 200 with an error code, number or digits."""
    with structlog.testing.capture_logs() as logs, pytest.raises(ProviderError) as caught:
        await answer_to_poll(client, f'{{"code": {code}, "message": "Insufficient credits"}}')

    assert (caught.value.kind, caught.value.status) == (FaultKind.ACCOUNT_EMPTY, 402)
    assert [entry["words"] for entry in logs] == ["insufficient credits"]


@pytest.mark.parametrize(
    "body", ['{"code": 200}', '{"code": 200, "data": {}}', '{"code": 200, "data": {"task_id": "t"}}']
)
async def test_status_answer_without_status_is_malformed(client: httpx.AsyncClient, body: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await answer_to_poll(client, body)

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.MALFORMED, False)


async def test_submit_answer_with_task_only_is_accepted(client: httpx.AsyncClient) -> None:
    async with RawServer(json_reply('{"code": 200, "data": {"task_id": 7}}')) as raw:
        assert await provider_at(client, raw.url).submit(described(REQUEST, OFFER)) == Pending(handle="7", running=True)


async def test_endless_code_does_not_lose_accepted_task(client: httpx.AsyncClient) -> None:
    """Python refuses to read thousands of digits as a number."""
    async with RawServer(json_reply(f'{{"code": "{"4" * 5_000}", "data": {{"task_id": 7}}}}')) as raw:
        assert await provider_at(client, raw.url).submit(described(REQUEST, OFFER)) == Pending(handle="7", running=True)


async def test_images_without_task_are_accepted(client: httpx.AsyncClient) -> None:
    """A synchronous model may name no task."""
    body = '{"code": 200, "data": {"status": "SUCCESS", "response": ["https://cdn.example/a.png"]}}'
    async with RawServer(json_reply(body)) as raw:
        submission = await provider_at(client, raw.url).submit(described(REQUEST, OFFER))

    assert submission == Finished(image_urls=("https://cdn.example/a.png",))


async def test_cancel_sends_nothing(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    """No cancel is documented."""
    assert await provider_at(client, server.url).cancel("t1") is CancelOutcome.UNSUPPORTED
    assert not server.requests
