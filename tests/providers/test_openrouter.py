"""OpenRouter: parameters, errors in a success, costs, lost calls."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bot.domain.costs import Currency, ProviderBalance
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Abilities, Offer
from bot.providers.base import Failed, Finished, LostCall, SubmitAnswer
from sandbox.providers import OpenRouterServer
from tests.providers.provider_harness import KEY, PROMPT, RawServer, json_reply
from tests.providers.synchronous_harness import AT_ONCE, CASES, SynchronousHarness, input_file, offer_at
from tests.support.catalogue import generation_request
from tests.support.submissions import submission

OFFER = offer_at("openrouter", "nano-banana-2.1")
CASE = CASES[0]
REQUEST = generation_request(prompt=PROMPT)
IMAGE = "aW1hZ2U="


def offer(remote_model: str, **limits: Any) -> Offer:
    """Return an offer of another model of OpenRouter."""
    abilities = Abilities(max_inputs=14, **limits)
    return replace(OFFER, remote_model=remote_model, images_per_call=None, abilities=abilities)


@pytest.fixture
async def bench(client: httpx.AsyncClient) -> AsyncIterator[SynchronousHarness]:
    """Yield the provider with its fake."""
    server = OpenRouterServer(key=KEY, latency=AT_ONCE)
    await server.start()
    yield SynchronousHarness(case=CASE, server=server, client=client)
    await server.close()


async def answer_to(client: httpx.AsyncClient, document: object) -> SubmitAnswer:
    """Return the parsed answer of a submit."""
    case = SynchronousHarness(case=CASE, server=OpenRouterServer(key=KEY), client=client)
    async with RawServer(json_reply(json.dumps(document))) as raw:
        return await case.provider_at(raw.url).submit(submission(REQUEST, OFFER))


async def fault_of(client: httpx.AsyncClient, document: object) -> tuple[FaultKind, bool]:
    """Return kind and `maybe_accepted` of the error in an answer."""
    with pytest.raises(ProviderError) as caught:
        await answer_to(client, document)
    assert "lighthouse" not in caught.value.detail
    return caught.value.kind, caught.value.maybe_accepted


async def test_submit_sends_the_parameters_of_the_model_only(bench: SynchronousHarness) -> None:
    file = input_file()
    await bench.submit(file, aspect_ratio="16:9", resolution="2K")

    body = bench.server.requests[0].body
    (reference,) = body.pop("input_references")
    assert reference["type"] == "image_url"
    assert reference["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert body == {
        "model": "google/gemini-nano-banana-2.1",
        "prompt": PROMPT,
        "provider": {"allow_fallbacks": False},
        "user": "member-tag",
        "aspect_ratio": "16:9",
        "resolution": "2K",
    }


async def test_model_with_formats_and_counts_gets_them(bench: SynchronousHarness) -> None:
    gpt = offer("openai/gpt-image-2.5-flare", aspect_ratio=("1:1", "auto"), format=("png", "jpeg", "webp"))
    request = replace(REQUEST, aspect_ratio="auto", format="webp", images=3)

    finished = await bench.provider.submit(submission(request, gpt))

    body = bench.server.requests[0].body
    assert (body["n"], body["output_format"], "aspect_ratio" in body) == (3, "webp", False)
    assert isinstance(finished, Finished)
    assert [file[:4] for file in finished.image_files] == [b"RIFF"] * 3


async def test_model_without_parameters_gets_none(bench: SynchronousHarness) -> None:
    plain = offer("qwen/qwen-image-3", aspect_ratio=("1:1",), format=())

    await bench.provider.submit(submission(REQUEST, plain))

    assert bench.server.requests[0].body.keys() == {"model", "prompt", "provider", "user"}


async def test_fewer_images_are_returned_with_their_cost(bench: SynchronousHarness) -> None:
    bench.server.faults.play("fewer")
    gpt = offer("openai/gpt-image-2.5-flare", format=("png", "jpeg", "webp"))

    finished = await bench.provider.submit(submission(replace(REQUEST, images=3), gpt))

    assert isinstance(finished, Finished)
    assert len(finished.image_files) == 2
    assert finished.cost is not None
    assert finished.cost.amount == Decimal("0.026")


async def test_lost_call_is_not_billed(bench: SynchronousHarness) -> None:
    bench.server.faults.play("reply_lost")
    with pytest.raises(ProviderError):
        await bench.submit()

    assert await bench.provider.find_lost(submission(REQUEST, OFFER)) is LostCall.NOT_BILLED
    assert not bench.server.billed


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 402, "message": "Insufficient credits"}, FaultKind.ACCOUNT_EMPTY),
        ({"code": "429", "message": "Slow down"}, FaultKind.RATE_LIMITED),
        ({"code": 502, "message": "Provider returned error"}, FaultKind.SERVER_ERROR),
        (
            {"code": 403, "message": "Flagged", "metadata": {"reasons": ["violence"], "flagged_input": PROMPT}},
            FaultKind.CONTENT,
        ),
        (
            {"code": 400, "message": f"Rejected: {PROMPT}", "metadata": {"error_type": "refusal"}},
            FaultKind.CONTENT,
        ),
    ],
)
async def test_error_in_a_success_is_the_same_fault(
    client: httpx.AsyncClient, error: dict[str, Any], kind: FaultKind
) -> None:
    assert await fault_of(client, {"error": error}) == (kind, False)
    assert await fault_of(client, {"error": error, "data": []}) == (kind, False)


@pytest.mark.parametrize("document", [{"error": "no"}, {"error": {"code": 7}}, {"data": {}}, [], {"error": {}}])
async def test_answer_without_a_list_is_malformed(client: httpx.AsyncClient, document: object) -> None:
    assert await fault_of(client, document) == (FaultKind.MALFORMED, True)


@pytest.mark.parametrize("metadata", [None, [], "x", {"error_type": []}, {"reasons": None}])
async def test_odd_metadata_breaks_nothing(client: httpx.AsyncClient, metadata: object) -> None:
    error = {"code": 400, "message": "bad size", "metadata": metadata}

    assert await fault_of(client, {"error": error}) == (FaultKind.INVALID, False)


@pytest.mark.parametrize("usage", [None, [], {}, {"cost": None}, {"cost": "1"}, {"cost": -1}, {"cost": True}])
async def test_cost_is_unknown_if_not_reported(client: httpx.AsyncClient, usage: object) -> None:
    answer = await answer_to(client, {"data": [{"b64_json": IMAGE}], "usage": usage})

    assert answer == Finished(image_files=(b"image",))


async def test_unusable_images_are_left_out(client: httpx.AsyncClient) -> None:
    rows = [None, "x", {}, {"b64_json": None}, {"b64_json": "?"}, {"b64_json": IMAGE}, {"b64_json": IMAGE}]

    assert await answer_to(client, {"data": rows}) == Finished(image_files=(b"image",))
    assert await answer_to(client, {"data": rows[:5]}) == Failed(kind=FaultKind.NO_PICTURES)


async def test_balance_is_the_rest_of_the_key(bench: SynchronousHarness) -> None:
    """A key without a limit has none."""
    assert await bench.provider.balance() is None
    bench.server.store.balance = Decimal("3.25")
    assert await bench.provider.balance() == ProviderBalance(amount=Decimal("3.25"), currency=Currency.USD)
    assert not bench.server.billed
