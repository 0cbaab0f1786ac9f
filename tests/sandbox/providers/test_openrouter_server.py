"""The fake of OpenRouter's Image API follows its documents."""

import asyncio
import base64
import io
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from PIL import Image

from sandbox.providers import MANUAL, OpenRouterServer, State, derives_from, read_manifest
from tests.sandbox.providers.support import ImageServer, photo

BANANA = {"model": "google/gemini-nano-banana-2.1", "prompt": "a fox"}
GPT = {"model": "openai/gpt-image-2.5-flare", "prompt": "a fox"}
FLUX = {"model": "black-forest-labs/flux-3-image", "prompt": "a fox"}
QWEN = {"model": "qwen/qwen-image-3", "prompt": "a fox"}


def pictures(reply: httpx.Response) -> list[bytes]:
    """Return the decoded pictures of a reply."""
    assert reply.status_code == 200, reply.text
    return [base64.b64decode(each["b64_json"], validate=True) for each in reply.json()["data"]]


def reference(url: str) -> dict[str, Any]:
    """Return an input picture."""
    return {"type": "image_url", "image_url": {"url": url}}


def data_url(content: bytes) -> str:
    """Return a data URL."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


async def test_reply_has_pictures_and_their_cost(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    reply = await openrouter_client.post("/images", json={**GPT, "n": 2, "quality": "low", "output_format": "webp"})

    made = pictures(reply)
    assert tuple(made) == openrouter.jobs[0].pictures
    assert [each["media_type"] for each in reply.json()["data"]] == ["image/webp"] * 2
    assert all(read_manifest(each) for each in made)
    assert (reply.json()["usage"]["cost"], openrouter.billed[0].cost) == (0.012, Decimal("0.012"))
    assert reply.headers["x-generation-id"] == f"gen-{openrouter.jobs[0].id}"


@pytest.mark.parametrize(
    ("body", "cost", "size"),
    [
        (BANANA, "0.0336", (1024, 1024)),
        ({**BANANA, "resolution": "4K"}, "0.113", (4096, 4096)),
        ({**GPT, "size": "1024x512", "quality": "max"}, "0.211", (1024, 512)),
        (FLUX, "0.048", (1024, 1024)),
        ({**FLUX, "resolution": "2K"}, "0.192", (2048, 2048)),
        ({**FLUX, "resolution": "768", "aspect_ratio": "16:9"}, "0.027", (1024, 576)),
        ({**QWEN, "n": 2, "seed": 7}, "0.06", (1024, 1024)),
        ({**BANANA, "resolution": "2K", "provider": {"only": ["google-vertex"]}}, "0.06", (2048, 2048)),
        ({**BANANA, "provider": {"order": ["google-vertex"], "allow_fallbacks": False}}, "0.04", (1024, 1024)),
        ({**BANANA, "provider": {"ignore": ["google-ai-studio"]}}, "0.04", (1024, 1024)),
    ],
)
async def test_bill_is_that_of_the_listed_prices(
    openrouter: OpenRouterServer,
    openrouter_client: httpx.AsyncClient,
    body: dict[str, Any],
    cost: str,
    size: tuple[int, int],
) -> None:
    reply = await openrouter_client.post("/images", json=body)

    with Image.open(io.BytesIO(pictures(reply)[0])) as opened:
        assert opened.size == size
    assert openrouter.billed[0].cost == Decimal(cost)
    assert reply.json()["usage"]["cost"] == float(cost)


async def test_references_are_read_and_billed(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient, image_server: ImageServer
) -> None:
    source, other = photo("rings"), photo("stripes")
    references = [reference(data_url(source)), reference(image_server.put("b", other))]

    (made,) = pictures(await openrouter_client.post("/images", json={**GPT, "input_references": references}))

    assert (derives_from(made, source), derives_from(made, other)) == (True, False)
    assert openrouter.billed[0].cost == Decimal("0.029")


SMALL = reference(data_url(photo(size=(64, 64))))


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (None, "invalid_request"),
        ([], "invalid_request"),
        ({"model": GPT["model"]}, "invalid_request"),
        ({"prompt": "a fox"}, "invalid_request"),
        ({**GPT, "prompt": ""}, "invalid_request"),
        ({**GPT, "negative_prompt": "x"}, "invalid_request"),
        ({**GPT, "n": 11}, "invalid_request"),
        ({**BANANA, "n": 2}, "invalid_request"),
        ({**QWEN, "n": 7}, "invalid_request"),
        ({**GPT, "seed": 1}, "invalid_request"),
        ({**GPT, "resolution": "1K"}, "invalid_request"),
        ({**BANANA, "resolution": "768"}, "invalid_request"),
        ({**BANANA, "resolution": "1k"}, "invalid_request"),
        ({**BANANA, "aspect_ratio": "7:3"}, "invalid_request"),
        ({**BANANA, "size": "2K", "resolution": "4K"}, "invalid_request"),
        ({**BANANA, "size": "1024x1024"}, "invalid_request"),
        ({**GPT, "size": "1024x1024", "aspect_ratio": "16:9"}, "invalid_request"),
        ({**GPT, "size": "9999x9999"}, "invalid_request"),
        ({**GPT, "size": "big"}, "invalid_request"),
        ({**GPT, "output_format": "svg"}, "invalid_request"),
        ({**GPT, "background": "transparent", "output_format": "jpeg"}, "invalid_request"),
        ({**GPT, "output_compression": 101}, "invalid_request"),
        ({**BANANA, "stream": True}, "invalid_request"),
        ({**BANANA, "provider": []}, "invalid_request"),
        ({**BANANA, "provider": {"only": "google-vertex"}}, "invalid_request"),
        ({**BANANA, "provider": {"max_price": 1}}, "invalid_request"),
        ({**BANANA, "provider": {"options": {"google-vertex": {"x": 1}}}}, "invalid_request"),
        ({**GPT, "input_references": SMALL}, "invalid_request"),
        ({**GPT, "input_references": ["x"]}, "invalid_request"),
        ({**GPT, "input_references": [SMALL] * 17}, "invalid_request"),
        ({**GPT, "input_references": [reference("https://elsewhere.example/a.png")]}, "image_download_failed"),
        ({**GPT, "input_references": [reference("data:image/png;base64,???")]}, "unsupported_image_format"),
        ({**GPT, "input_references": [reference(data_url(b"text"))]}, "unsupported_image_format"),
        ({**GPT, "input_references": [reference(data_url(photo(format_="GIF")))]}, "unsupported_image_format"),
    ],
)
async def test_undocumented_request_is_400(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient, body: Any, error_type: str
) -> None:
    reply = await openrouter_client.post("/images", json=body)

    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["metadata"]["error_type"]) == (400, 400, error_type)
    assert not openrouter.jobs


async def test_body_above_the_limit_is_413() -> None:
    server = OpenRouterServer(key="key-a")
    server.max_body_bytes = 1000
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": "Bearer key-a"}) as client:
        reply = await client.post("/api/v1/images", json={**GPT, "prompt": "x" * 1000})
    await server.close()

    assert (reply.status_code, reply.json()["error"]["metadata"]["error_type"]) == (413, "payload_too_large")


async def test_quality_is_ignored_by_models_without_it(openrouter_client: httpx.AsyncClient) -> None:
    assert (await openrouter_client.post("/images", json={**BANANA, "quality": "high"})).status_code == 200


@pytest.mark.parametrize("body", [{**GPT, "model": "a/b"}, {**BANANA, "provider": {"only": ["openai"]}}])
async def test_unknown_model_or_provider_is_404(openrouter_client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await openrouter_client.post("/images", json=body)).status_code == 404


@pytest.mark.parametrize(("key", "status"), [("Bearer wrong", 401), ("", 401), ("Bearer key-a", 200)])
async def test_only_discovery_needs_no_key(openrouter_client: httpx.AsyncClient, key: str, status: int) -> None:
    headers = {"Authorization": key}

    assert (await openrouter_client.get("/images/models", headers=headers)).status_code == 200
    assert (await openrouter_client.get(f"/images/models/{GPT['model']}/endpoints", headers=headers)).status_code == 200
    assert (await openrouter_client.get("/key", headers=headers)).status_code == status
    assert (await openrouter_client.post("/images", json=GPT, headers=headers)).status_code == status


async def test_discovery_lists_parameters_and_prices(openrouter_client: httpx.AsyncClient) -> None:
    models = {each["id"]: each for each in (await openrouter_client.get("/images/models")).json()["data"]}
    listed = (await openrouter_client.get(f"/images/models/{BANANA['model']}/endpoints")).json()
    unknown = await openrouter_client.get("/images/models/a/b/endpoints")

    banana = models["google/gemini-nano-banana-2.1"]
    assert banana["architecture"] == {"input_modalities": ["text", "image"], "output_modalities": ["image"]}
    assert banana["supported_parameters"]["resolution"] == {"type": "enum", "values": ["1K", "2K", "4K"]}
    assert banana["supported_parameters"]["input_references"] == {"type": "range", "min": 0, "max": 14}
    assert "n" not in banana["supported_parameters"]
    assert models["qwen/qwen-image-3"]["supported_parameters"]["seed"] == {"type": "boolean"}
    assert [each["provider_slug"] for each in listed["endpoints"]] == ["google-ai-studio", "google-vertex"]
    assert listed["endpoints"][0]["pricing"][2] == {
        "billable": "output_image",
        "unit": "image",
        "cost_usd": 0.113,
        "variant": "4k",
    }
    assert unknown.status_code == 404


async def test_account_has_remaining_credits_and_paid_costs(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    openrouter.store.balance = Decimal("0.05")
    first = await openrouter_client.post("/images", json=BANANA)
    second = await openrouter_client.post("/images", json=BANANA)
    key = (await openrouter_client.get("/key")).json()["data"]
    paid = (await openrouter_client.get(f"/generation?id={first.headers['x-generation-id']}")).json()["data"]
    unknown = await openrouter_client.get("/generation?id=gen-x")

    assert (second.status_code, second.json()["error"]["code"]) == (402, 402)
    assert (key["limit"], key["limit_remaining"], key["usage"]) == (0.05, 0.0164, 0.0336)
    assert (paid["total_cost"], paid["cancelled"], unknown.status_code) == (0.0336, False, 404)


async def test_client_that_hangs_up_ends_its_job_unbilled(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    openrouter.latency = MANUAL
    pending = asyncio.create_task(openrouter_client.post("/images", json=BANANA))
    await openrouter.wait_for(lambda: openrouter.jobs)
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    await openrouter.wait_for(lambda: openrouter.jobs[0].terminal)

    assert openrouter.jobs[0].state is State.CANCELLED
    assert not openrouter.billed


async def test_call_stays_open_until_released(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    openrouter.latency = MANUAL
    pending = asyncio.create_task(openrouter_client.post("/images", json=BANANA))
    await openrouter.wait_for(lambda: openrouter.jobs)
    openrouter.finish()

    assert (await pending).status_code == 200
    assert len(openrouter.billed) == 1


async def stream(openrouter_client: httpx.AsyncClient) -> list[str]:
    """Return the data of a stream's events."""
    async with openrouter_client.stream("POST", "/images", json={**GPT, "stream": True}) as reply:
        lines = [line async for line in reply.aiter_lines()]
    return [line.removeprefix("data: ") for line in lines if line]


async def test_stream_ends_with_the_picture_and_its_cost(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    partial, completed, done = await stream(openrouter_client)

    event = json.loads(completed)
    assert json.loads(partial)["type"] == "image_generation.partial_image"
    assert (event["type"], event["usage"]["cost"]) == ("image_generation.completed", 0.013)
    assert base64.b64decode(event["b64_json"]) == openrouter.jobs[0].pictures[0]
    assert done == "[DONE]"


async def test_late_refusal_of_stream_is_an_event(
    openrouter: OpenRouterServer, openrouter_client: httpx.AsyncClient
) -> None:
    openrouter.faults.play("refused_output")

    _, failed, done = await stream(openrouter_client)

    assert json.loads(failed)["type"] == "error"
    assert json.loads(failed)["error"]["metadata"]["error_type"] == "refusal"
    assert (done, openrouter.billed) == ("[DONE]", [])
