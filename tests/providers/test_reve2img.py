"""What is reve2img's own: its four models' options, its envelope, its cost, and where it puts a reason."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.domain.catalogue import MODELS, OFFERS, Offer
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.requests import generation_request
from bot.providers.base import CancelOutcome, Failed, Finished, Pending
from bot.providers.http import ProviderHttp
from bot.providers.reve2img import Reve2Img
from bot.sandbox.providers import MANUAL, Reve2ImgServer
from tests.providers.bench import KEY, PROMPT, RawServer, json_reply

REQUEST = generation_request(prompt=PROMPT)


def offer_of(model: str) -> Offer:
    """Return reve2img's offer of a model."""
    return next(offer for offer in OFFERS if (offer.provider, offer.model) == ("reve2img", model))


OFFER = offer_of("reve-2.0")


@pytest.fixture
async def server() -> AsyncIterator[Reve2ImgServer]:
    """Return the stand-in, whose jobs are moved by hand."""
    server = Reve2ImgServer(key=KEY, latency=MANUAL)
    await server.start()
    yield server
    await server.close()


def provider_at(client: httpx.AsyncClient, url: str) -> Reve2Img:
    """Return the client for an address."""
    return Reve2Img(ProviderHttp(name="reve2img", base_url=url, key=KEY, client=client))


async def answer_to_poll(client: httpx.AsyncClient, body: str) -> Any:
    """Return what is made of an answer to a poll."""
    async with RawServer(json_reply(body)) as raw:
        return await provider_at(client, raw.url).poll("t1")


@pytest.mark.parametrize("model", [model.id for model in MODELS])
async def test_every_model_is_accepted(client: httpx.AsyncClient, server: Reve2ImgServer, model: str) -> None:
    """The strict stand-in takes the request of each model, with all that it can do."""
    offer = offer_of(model)
    request = generation_request(
        prompt=PROMPT,
        model=model,
        aspect_ratio="16:9",
        images=4,
        detail=offer.max_detail,
        format="jpeg",
        resolution="4K" if offer.resolutions else None,
    )

    submission = await provider_at(client, server.url).submit(request, offer)

    assert submission == Pending(handle=server.jobs[0].id, running=True)
    expected: dict[str, object] = {
        "model": model,
        "prompt": PROMPT,
        "aspect_ratio": "16:9",
        "num_images": 4,
        "output_format": "jpeg",
    }
    if offer.resolutions:
        expected["resolution"] = "4K"
    if model == "reve-2.0":
        expected["test_time_scaling"] = 15
    assert server.requests[0].body == expected


async def test_options_at_rest_are_left_out(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    """Neither a detail of 1 nor a resolution that nobody chose is sent."""
    await provider_at(client, server.url).submit(REQUEST, OFFER)

    assert set(server.requests[0].body) == {"model", "prompt", "aspect_ratio", "num_images", "output_format"}


async def test_the_cost_is_what_the_provider_says(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    """consumed_credits is the attempt's cost."""
    provider = provider_at(client, server.url)
    await provider.submit(generation_request(prompt=PROMPT, images=2, detail=3), OFFER)
    server.finish()

    finished = await provider.poll(server.jobs[0].id)

    assert isinstance(finished, Finished)
    assert finished.cost == 12 * 2 * 3


@pytest.mark.parametrize(
    "data",
    [
        '{"error_message": "why"}',
        '{"error": "why"}',
        '{"error": {"message": "why"}}',
        '{"message": "why"}',
        '{"response": {"error": "why"}}',
    ],
)
async def test_the_reason_of_a_failure_is_found(client: httpx.AsyncClient, data: str) -> None:
    """In each place where it may stand; "success" of the envelope is no reason."""
    body = f'{{"code": 200, "message": "success", "data": {data[:-1]}, "status": "FAILED"}}}}'

    assert await answer_to_poll(client, body) == Failed(kind=FaultKind.GENERATION, detail="why", handle="t1")


async def test_the_envelopes_message_is_the_last_reason(client: httpx.AsyncClient) -> None:
    """When the task says nothing, the envelope may."""
    body = '{"code": "200", "message": "nothing came", "data": {"status": "failed", "consumed_credits": 0}}'

    failed = await answer_to_poll(client, body)

    assert failed == Failed(kind=FaultKind.GENERATION, detail="nothing came", handle="t1", cost=0)


@pytest.mark.parametrize("code", ["402", '"402"'])
async def test_an_error_in_the_envelope_is_one(client: httpx.AsyncClient, code: str) -> None:
    """HTTP 200 with an error's code is an error, whether the code is a number or digits."""
    with pytest.raises(ProviderError) as caught:
        await answer_to_poll(client, f'{{"code": {code}, "message": "Insufficient credits"}}')

    assert (caught.value.kind, caught.value.status) == (FaultKind.ACCOUNT_EMPTY, 402)
    assert caught.value.detail == "Insufficient credits"


@pytest.mark.parametrize(
    "body", ['{"code": 200}', '{"code": 200, "data": {}}', '{"code": 200, "data": {"task_id": "t"}}']
)
async def test_a_status_without_a_status_is_malformed(client: httpx.AsyncClient, body: str) -> None:
    """A poll that says nothing of the task is a fault, not an end."""
    with pytest.raises(ProviderError) as caught:
        await answer_to_poll(client, body)

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.MALFORMED, False)


async def test_a_task_without_a_status_is_accepted(client: httpx.AsyncClient) -> None:
    """An answer to a submit that names the task has accepted it."""
    async with RawServer(json_reply('{"code": 200, "data": {"task_id": 7}}')) as raw:
        assert await provider_at(client, raw.url).submit(REQUEST, OFFER) == Pending(handle="7", running=True)


async def test_pictures_without_a_task_are_taken(client: httpx.AsyncClient) -> None:
    """A synchronous model may name no task."""
    body = '{"code": 200, "data": {"status": "SUCCESS", "response": ["https://cdn.example/a.png"]}}'
    async with RawServer(json_reply(body)) as raw:
        submission = await provider_at(client, raw.url).submit(REQUEST, OFFER)

    assert submission == Finished(image_urls=("https://cdn.example/a.png",))


async def test_nothing_is_sent_to_cancel(client: httpx.AsyncClient, server: Reve2ImgServer) -> None:
    """No cancel is documented."""
    assert await provider_at(client, server.url).cancel("t1") is CancelOutcome.UNSUPPORTED
    assert not server.requests
