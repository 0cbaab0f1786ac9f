"""Services with OpenAI's Images API, and their differences."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sandbox.providers import Latency, OpenAiImagesServer, derives_from, read_manifest
from tests.sandbox.providers.support import photo

Start = Callable[[str], Awaitable[tuple[OpenAiImagesServer, httpx.AsyncClient]]]

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
XAI = {"model": "grok-imagine-image-2.0", "prompt": "a fox", "response_format": "b64_json"}
VLLM = {"model": "Qwen/Qwen-Image", "prompt": "a fox"}
PHOTO = photo()
URL = f"data:image/png;base64,{base64.b64encode(PHOTO).decode()}"


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Yield a function to start a profile; its client has all key headers."""
    servers: list[OpenAiImagesServer] = []
    clients: list[httpx.AsyncClient] = []

    async def start(profile: str) -> tuple[OpenAiImagesServer, httpx.AsyncClient]:
        server = OpenAiImagesServer(profile=profile, key="key-a", latency=Latency(queue=0.0, work=0.0))
        await server.start()
        headers = {"Authorization": "Bearer key-a", "api-key": "key-a"}
        client = httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30)
        servers.append(server)
        clients.append(client)
        return server, client

    yield start
    for client in clients:
        await client.aclose()
    for server in servers:
        await server.close()


def picture(reply: httpx.Response) -> bytes:
    """Return the first picture of a reply."""
    assert reply.status_code == 200, reply.text
    return base64.b64decode(reply.json()["data"][0]["b64_json"])


async def test_azure_takes_deployment_in_path_or_body(start: Start) -> None:
    server, client = await start("azure")
    path = "/openai/deployments/pictures/images"

    made = picture(await client.post(f"{path}/generations?api-version=2026-06-01", json={"prompt": "a fox"}))
    edited = picture(await client.post(f"{path}/edits?api-version=1", data={"prompt": "x"}, files={"image[]": PHOTO}))
    newer = await client.post("/openai/v1/images/generations", json={"model": "pictures", "prompt": "a fox"})

    assert read_manifest(made)
    assert derives_from(edited, PHOTO)
    assert (newer.status_code, [job.request.model for job in server.jobs]) == (200, ["pictures"] * 3)


async def test_azure_refuses_other_keys_deployments_and_a_missing_version(start: Start) -> None:
    server, client = await start("azure")
    path = "/openai/deployments/{}/images/generations"

    without_version = await client.post(path.format("pictures"), json={"prompt": "a fox"})
    unknown = await client.post(path.format("gpt-image-2") + "?api-version=1", json={"prompt": "a fox"})
    wrong_key = await client.post(path.format("pictures") + "?api-version=1", json={}, headers={"api-key": "x"})

    assert [without_version.status_code, unknown.status_code, wrong_key.status_code] == [404, 404, 401]
    assert wrong_key.json()["error"]["code"] == "401"
    assert not server.jobs


async def test_azure_content_block_is_only_in_inner_error(start: Start) -> None:
    server, client = await start("azure")
    server.faults.play("refused_azure_inner_error")

    reply = await client.post("/openai/v1/images/generations", json={"model": "pictures", "prompt": "a fox"})

    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (400, "BadRequest")
    assert error["inner_error"]["error_code"] == "content_policy_violation"


@pytest.mark.parametrize(
    ("fields", "cost", "ticks"),
    [({}, "0.04", 400_000_000), ({"resolution": "2k", "n": 2, "aspect_ratio": "16:9"}, "0.12", 1_200_000_000)],
)
async def test_xai_bills_by_resolution_in_ticks(start: Start, fields: dict[str, Any], cost: str, ticks: int) -> None:
    server, client = await start("xai")

    reply = await client.post(GENERATIONS, json={**XAI, **fields})

    assert picture(reply) == server.jobs[0].pictures[0]
    assert [each["respect_moderation"] for each in reply.json()["data"]] == [True] * fields.get("n", 1)
    assert reply.json()["usage"] == {"cost_in_usd_ticks": ticks}
    assert server.billed[0].cost == Decimal(cost)


async def test_xai_refused_picture_is_a_200_without_picture(start: Start) -> None:
    server, client = await start("xai")
    server.faults.play("refused_xai_picture")

    reply = await client.post(GENERATIONS, json=XAI)

    assert (reply.status_code, reply.json()["data"]) == (200, [{"respect_moderation": False}])
    assert not server.billed


async def test_xai_sends_addresses_of_the_same_bytes_by_default(start: Start) -> None:
    server, client = await start("xai")
    body = {name: value for name, value in XAI.items() if name != "response_format"}

    reply = await client.post(GENERATIONS, json=body)
    async with httpx.AsyncClient() as plain:
        served = await plain.get(reply.json()["data"][0]["url"])

    assert served.content == server.jobs[0].pictures[0]
    assert read_manifest(served.content)


@pytest.mark.parametrize(
    "images",
    [{"image": {"url": URL, "type": "image_url"}}, {"images": [{"url": URL, "type": "image_url"}] * 3}],
)
async def test_xai_edits_are_json(start: Start, images: dict[str, Any]) -> None:
    _, client = await start("xai")

    assert derives_from(picture(await client.post(EDITS, json={**XAI, **images})), PHOTO)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (GENERATIONS, {"size": "1024x1024"}),
        (GENERATIONS, {"quality": "high"}),
        (GENERATIONS, {"resolution": "4k"}),
        (GENERATIONS, {"images": []}),
        (EDITS, {}),
        (EDITS, {"image": {"url": URL}}),
        (EDITS, {"images": [{"url": URL, "type": "image_url"}] * 4}),
        (EDITS, {"image": {"url": URL, "type": "image_url"}, "images": []}),
    ],
)
async def test_xai_refuses_undocumented_fields(start: Start, path: str, fields: dict[str, Any]) -> None:
    server, client = await start("xai")

    assert (await client.post(path, json={**XAI, **fields})).status_code == 400
    assert not server.jobs


async def test_xai_refuses_forms(start: Start) -> None:
    _, client = await start("xai")

    assert (await client.post(EDITS, data=XAI, files={"image": PHOTO})).status_code == 400


async def test_litellm_has_cost_in_its_header(start: Start) -> None:
    server, client = await start("litellm")

    reply = await client.post(GENERATIONS, json={"model": "pictures", "prompt": "a fox"})

    assert reply.headers["x-litellm-response-cost"] == "0.01318"
    assert str(server.billed[0].cost) == "0.01318"


async def test_localai_sends_addresses_unless_asked(start: Start) -> None:
    server, client = await start("localai")
    body = {"model": "stablediffusion", "prompt": "a fox|blurry", "size": "512x512", "step": 20}

    by_url = await client.post(GENERATIONS, json=body, headers={"Authorization": ""})
    by_bytes = await client.post(GENERATIONS, json={**body, "response_format": "b64_json"})

    assert by_url.json()["data"][0]["url"].startswith(server.url)
    assert picture(by_bytes) == server.jobs[1].pictures[0]
    assert [charge.cost for charge in server.billed] == [0, 0]


async def test_vllm_takes_seed_and_two_kinds_of_inputs(start: Start) -> None:
    server, client = await start("vllm")
    extra = {"seed": 7, "num_inference_steps": 20, "guidance_scale": 3.5, "size": "512x768"}

    made = await client.post(GENERATIONS, json={**VLLM, **extra})
    by_file = await client.post(
        EDITS, data={**VLLM, "seed": "7", "guidance_scale": "4"}, files={"image": ("a.png", PHOTO, "image/png")}
    )
    by_url = await client.post(EDITS, data=VLLM, files={"url[]": (None, URL)})

    assert made.status_code == 200
    assert derives_from(picture(by_file), PHOTO)
    assert derives_from(picture(by_url), PHOTO)
    assert (server.jobs[0].request.width, server.jobs[0].request.height) == (512, 768)


@pytest.mark.parametrize(
    ("profile", "model", "fields"),
    [
        ("vllm", "Qwen/Qwen-Image", {"quality": "high"}),
        ("vllm", "another", {}),
        ("ollama", "x/z-image-turbo", {"n": 1}),
        ("ollama", "x/z-image-turbo", {"quality": "high"}),
        ("ollama", "x/z-image-turbo", {"response_format": "url"}),
        ("localai", "stablediffusion", {"quality": "high"}),
        ("localai", "stablediffusion", {"size": "9999x9999"}),
        ("localai", "stablediffusion", {"size": "large"}),
    ],
)
async def test_local_service_refuses_fields_of_others(
    start: Start, profile: str, model: str, fields: dict[str, Any]
) -> None:
    server, client = await start(profile)

    reply = await client.post(GENERATIONS, json={"model": model, "prompt": "a fox", **fields})

    assert reply.status_code in (400, 404)
    assert not server.jobs


@pytest.mark.parametrize("name", ["mask", "markup"])
async def test_vllm_refuses_masks(start: Start, name: str) -> None:
    _, client = await start("vllm")
    files = {"image": ("a.png", PHOTO, "image/png"), name: ("m.png", PHOTO, "image/png")}

    assert (await client.post(EDITS, data=VLLM, files=files)).status_code == 400


async def test_ollama_makes_one_picture_and_has_no_edits(start: Start) -> None:
    _, client = await start("ollama")
    body = {"model": "x/z-image-turbo", "prompt": "a fox", "size": "512x512"}

    assert picture(await client.post(GENERATIONS, json=body))
    assert (await client.post(EDITS, json=body)).status_code == 404


@pytest.mark.parametrize(
    ("profile", "path", "name"),
    [
        ("azure", "/openai/v1/models", "pictures"),
        ("xai", "/v1/models", "grok-imagine-image-2.0"),
        ("ollama", "/v1/models", "x/z-image-turbo"),
    ],
)
async def test_models_are_those_of_the_profile(start: Start, profile: str, path: str, name: str) -> None:
    _, client = await start(profile)

    assert name in [row["id"] for row in (await client.get(path)).json()["data"]]
