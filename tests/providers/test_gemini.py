"""Gemini's specifics: parts, thoughts, tokens, waits, the size of inputs."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bot.domain.costs import CostSource, usd
from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import Failed, Finished, InputFile, LostCall, SubmitAnswer
from sandbox.providers import GeminiServer
from tests.providers.provider_harness import KEY, PROMPT, RawServer, json_reply
from tests.providers.synchronous_harness import AT_ONCE, CASES, SynchronousHarness, input_file, offer_at
from tests.support.catalogue import generation_request
from tests.support.submissions import submission

OFFER = offer_at("gemini", "nano-banana-2.1")
CASE = CASES[1]
REQUEST = generation_request(prompt=PROMPT)
IMAGE = {"inlineData": {"mimeType": "image/png", "data": "aW1hZ2U="}}
DRAFT = {"inlineData": {"mimeType": "image/png", "data": "ZHJhZnQ="}, "thought": True}


@pytest.fixture
async def bench(client: httpx.AsyncClient) -> AsyncIterator[SynchronousHarness]:
    """Yield the provider with its fake."""
    server = GeminiServer(key=KEY, latency=AT_ONCE)
    await server.start()
    yield SynchronousHarness(case=CASE, server=server, client=client)
    await server.close()


async def answer_to(client: httpx.AsyncClient, document: object, status: str = "200 OK") -> SubmitAnswer:
    """Return the parsed answer of a submit."""
    case = SynchronousHarness(case=CASE, server=GeminiServer(key=KEY), client=client)
    async with RawServer(json_reply(json.dumps(document), status)) as raw:
        return await case.provider_at(raw.url).submit(submission(REQUEST, OFFER))


def candidate(*parts: object, reason: object = "STOP", **more: Any) -> dict[str, Any]:
    """Return an answer with one candidate."""
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason}], **more}


async def test_submit_sends_documented_request(bench: SynchronousHarness) -> None:
    await bench.submit(input_file("jpeg"), aspect_ratio="16:9", resolution="2K")

    sent = bench.server.requests[0]
    text, image = sent.body["contents"][0].pop("parts")
    assert sent.path == "/v1beta/models/gemini-nano-banana-2.1:generateContent"
    assert text == {"text": PROMPT}
    assert image["inlineData"]["mimeType"] == "image/jpeg"
    assert sent.body == {
        "contents": [{"role": "user"}],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        },
    }


async def test_automatic_ratio_is_not_sent(bench: SynchronousHarness) -> None:
    await bench.provider.submit(submission(replace(REQUEST, aspect_ratio="auto"), OFFER))

    assert "imageConfig" not in bench.server.requests[0].body["generationConfig"]


async def test_drafts_among_the_thoughts_are_skipped(client: httpx.AsyncClient) -> None:
    answer = await answer_to(client, candidate({"text": "hm", "thought": True}, DRAFT, {"text": "here"}, IMAGE))

    assert answer == Finished(image_files=(b"image",))
    assert await answer_to(client, candidate(DRAFT)) == Failed(kind=FaultKind.NO_PICTURES)


@pytest.mark.parametrize(
    "parts", [None, {}, [None], ["x"], [{"inlineData": None}], [{"inlineData": {"data": 5}}], [{"inlineData": []}]]
)
async def test_odd_parts_are_no_images(client: httpx.AsyncClient, parts: object) -> None:
    document = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}

    assert await answer_to(client, document) == Failed(kind=FaultKind.NO_PICTURES)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, (FaultKind.CONTENT, "PROHIBITED_CONTENT")),
        ({"promptFeedback": {"blockReason": "JAILBREAK"}, "candidates": []}, (FaultKind.CONTENT, "")),
        (candidate(reason="IMAGE_SAFETY"), (FaultKind.CONTENT, "IMAGE_SAFETY")),
        (candidate(reason="NO_IMAGE"), (FaultKind.NO_PICTURES, "")),
        (candidate(reason="IMAGE_OTHER"), (FaultKind.GENERATION, "")),
        (candidate(reason="MAX_TOKENS"), (FaultKind.GENERATION, "")),
        (candidate(reason=None), (FaultKind.NO_PICTURES, "")),
        ({"candidates": []}, (FaultKind.NO_PICTURES, "")),
        ({"candidates": ["x"]}, (FaultKind.NO_PICTURES, "")),
    ],
)
async def test_answer_without_image_is_a_refusal_or_a_failure(
    client: httpx.AsyncClient, document: object, expected: tuple[FaultKind, str]
) -> None:
    answer = await answer_to(client, document)

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.detail) == expected


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"promptTokenCount": 100, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}]}, "0.03375"),
        (
            {
                "promptTokenCount": 660,
                "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 560}],
                "candidatesTokenCount": 1200,
                "candidatesTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 80},
                    {"modality": "IMAGE", "tokenCount": 1120},
                ],
            },
            "0.03515",
        ),
    ],
)
async def test_cost_is_computed_from_the_tokens(client: httpx.AsyncClient, usage: object, dollars: str) -> None:
    """100 tokens of text, 560 of an input, 1120 of an image."""
    prices = OFFER.token_prices
    assert prices is not None
    offer = replace(OFFER, token_prices=replace(prices, image_in=Decimal("2.5")))
    case = SynchronousHarness(case=CASE, server=GeminiServer(key=KEY), client=client)
    async with RawServer(json_reply(json.dumps(candidate(IMAGE, usageMetadata=usage)))) as raw:
        answer = await case.provider_at(raw.url).submit(submission(REQUEST, offer))

    assert isinstance(answer, Finished)
    assert answer.cost == usd(Decimal(dollars), CostSource.COMPUTED)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {},
        {"promptTokenCount": 12},
        {"candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": "many"}]},
        {"candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": -5}, None]},
        {"candidatesTokensDetails": "IMAGE"},
    ],
)
async def test_cost_is_unknown_without_tokens_of_an_image(client: httpx.AsyncClient, usage: object) -> None:
    assert await answer_to(client, candidate(IMAGE, usageMetadata=usage)) == Finished(image_files=(b"image",))


async def test_inputs_too_large_for_a_call_are_not_sent(bench: SynchronousHarness) -> None:
    """100 MB in base64 are 75 MB of files."""
    file = InputFile(data=bytes(25 * 1024 * 1024), media_type="image/png")

    with pytest.raises(ProviderError) as caught:
        await bench.submit(file, file, file, InputFile(data=b"x", media_type="image/png"))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)
    assert caught.value.detail == "inputs too large for one call"
    assert not bench.server.requests


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ([{"@type": "RetryInfo", "retryDelay": "37s"}], (FaultKind.RATE_LIMITED, 37.0)),
        ([None, {"retryDelay": "0.5s"}], (FaultKind.RATE_LIMITED, 0.5)),
        ([{"retryDelay": "999999999s"}], (FaultKind.RATE_LIMITED, 86_400.0)),
        ([{"retryDelay": "soon"}], (FaultKind.ACCOUNT_EMPTY, None)),
        ([{"retryDelay": 37}], (FaultKind.ACCOUNT_EMPTY, None)),
        ("RetryInfo", (FaultKind.ACCOUNT_EMPTY, None)),
        (None, (FaultKind.ACCOUNT_EMPTY, None)),
    ],
)
async def test_quota_names_a_wait_or_is_empty(
    client: httpx.AsyncClient, details: object, expected: tuple[FaultKind, float | None]
) -> None:
    error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}
    with pytest.raises(ProviderError) as caught:
        await answer_to(client, {"error": error}, "429 Too Many Requests")

    assert (caught.value.kind, caught.value.retry_after) == expected


async def test_lost_call_may_be_billed(bench: SynchronousHarness) -> None:
    bench.server.faults.play("reply_lost")
    with pytest.raises(ProviderError):
        await bench.submit()

    assert await bench.provider.find_lost(submission(REQUEST, OFFER)) is LostCall.UNDECIDED
    assert len(bench.server.billed) == 1
