"""The fake of OpenAI's Images API follows its documents."""

import base64
import io
from decimal import Decimal
from typing import Any

import httpx
import pytest
from PIL import Image

from sandbox.providers import OpenAiImagesServer, expected_mark, read_manifest, read_mark

PATH = "/v1/images/generations"
BODY = {"model": "gpt-image-2.5-flare", "prompt": "a fox"}


def pictures(reply: httpx.Response) -> list[bytes]:
    """Return the decoded pictures of a reply."""
    return [base64.b64decode(each["b64_json"], validate=True) for each in reply.json()["data"]]


async def test_reply_has_pictures_settings_and_usage(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    reply = await openai_client.post(PATH, json={**BODY, "n": 2, "size": "1536x1024", "quality": "low"})

    body = reply.json()
    made = pictures(reply)
    assert reply.status_code == 200
    assert reply.headers["x-request-id"].startswith("req_")
    assert set(body) == {"created", "data", "output_format", "quality", "size", "background", "usage"}
    assert (body["output_format"], body["quality"], body["size"], body["background"]) == (
        "png",
        "low",
        "1536x1024",
        "opaque",
    )
    assert body["usage"] == {
        "input_tokens": 2,
        "input_tokens_details": {"text_tokens": 2, "image_tokens": 0},
        "output_tokens": 314,
        "total_tokens": 316,
    }
    assert [read_mark(each) for each in made] == [expected_mark("a fox", 0), expected_mark("a fox", 1)]
    assert tuple(made) == openai.jobs[0].pictures


@pytest.mark.parametrize(
    ("model", "quality", "cost"),
    [
        ("gpt-image-2.5-flare", "low", "0.00589"),
        ("gpt-image-2.5-flare", "auto", "0.01318"),
        ("gpt-image-2.5-sunburst", "high", "0.05269"),
        ("gpt-image-2.6-flare", "xhigh", "0.09367"),
        ("gpt-image-2.6-sunburst", "max", "0.21073"),
        ("gpt-image-2", "medium", "0.05269"),
    ],
)
async def test_bill_is_that_of_the_tokens(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, model: str, quality: str, cost: str
) -> None:
    reply = await openai_client.post(PATH, json={"model": model, "prompt": "a fox", "quality": quality})

    usage = reply.json()["usage"]
    assert openai.billed[0].cost == Decimal(cost)
    assert usage["output_tokens"] * Decimal(30) / 10**6 + usage["input_tokens"] * Decimal(5) / 10**6 == Decimal(cost)


@pytest.mark.parametrize(("format_", "place"), [("png", b"caBX"), ("jpeg", b"\xff\xeb"), ("webp", b"C2PA")])
async def test_picture_has_provenance_and_requested_format(
    openai_client: httpx.AsyncClient, format_: str, place: bytes
) -> None:
    (made,) = pictures(await openai_client.post(PATH, json={**BODY, "output_format": format_}))

    assert read_manifest(made) is not None
    assert place in made
    with Image.open(io.BytesIO(made)) as opened:
        assert ((opened.format or "").lower(), opened.size) == (format_, (1024, 1024))


async def test_transparent_picture_has_alpha(openai_client: httpx.AsyncClient) -> None:
    reply = await openai_client.post(PATH, json={**BODY, "background": "transparent"})

    with Image.open(io.BytesIO(pictures(reply)[0])) as opened:
        assert opened.getchannel("A").getextrema() == (0, 255)
    assert reply.json()["background"] == "transparent"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"seed": 3}, "seed", "unknown_parameter"),
        ({"response_format": "b64_json"}, "response_format", "unknown_parameter"),
        ({"negative_prompt": "x"}, "negative_prompt", "unknown_parameter"),
        ({"input_fidelity": "high"}, "input_fidelity", "unknown_parameter"),
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": 5}, "prompt", "invalid_value"),
        ({"prompt": "x" * 32_001}, "prompt", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"n": 11}, "n", "invalid_value"),
        ({"n": True}, "n", "invalid_value"),
        ({"size": "1000x1000"}, "size", "invalid_value"),
        ({"size": "3856x2160"}, "size", "invalid_value"),
        ({"size": "3840x2176"}, "size", "invalid_value"),
        ({"size": "800x816"}, "size", "invalid_value"),
        ({"size": "3088x1024"}, "size", "invalid_value"),
        ({"size": "1:1"}, "size", "invalid_value"),
        ({"size": 1024}, "size", "invalid_value"),
        ({"quality": "best"}, "quality", "invalid_value"),
        ({"model": "gpt-image-2", "quality": "max"}, "quality", "invalid_value"),
        ({"complexity": "low"}, "complexity", "invalid_value"),
        ({"background": "transparent", "output_format": "jpeg"}, "background", "invalid_value"),
        ({"output_format": "bmp"}, "output_format", "invalid_value"),
        ({"output_format": "gif"}, "output_format", None),
        ({"output_format": "svg"}, "output_format", None),
        ({"output_compression": 80}, "output_compression", "invalid_value"),
        ({"output_format": "webp", "output_compression": 101}, "output_compression", "invalid_value"),
        ({"frame_count": 2}, "frame_count", "invalid_value"),
        ({"moderation": "off"}, "moderation", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_value"),
        ({"partial_images": 2}, "partial_images", "invalid_value"),
        ({"stream": True, "partial_images": 4}, "partial_images", "invalid_value"),
        ({"model": "gpt-image-1"}, "model", "model_not_found"),
        ({"model": "dall-e-3"}, "model", "model_not_found"),
    ],
)
async def test_undocumented_request_is_refused(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, fields: dict[str, Any], param: str, code: str | None
) -> None:
    reply = await openai_client.post(PATH, json={**BODY, **fields})

    error = reply.json()["error"]
    assert reply.status_code == (404 if code == "model_not_found" else 403 if code is None else 400)
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["code"]) == (param, code)
    assert not openai.jobs


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "3840x2160"},
        {"size": "1024x640"},
        {"size": "auto", "quality": "auto", "background": "auto", "moderation": "low"},
        {"model": "gpt-image-2.6-flare", "complexity": "high", "safety_identifier": "abc"},
        {"output_format": "jpeg", "output_compression": 0},
        {"prompt": "x" * 32_000},
        {"n": 3},
    ],
)
async def test_documented_request_is_taken(openai_client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert (await openai_client.post(PATH, json={**BODY, **fields})).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"prompt": "x"}', b'{"model": "gpt-image-2"}', b"[" * 9999]
)
async def test_hostile_body_is_400(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, body: bytes) -> None:
    reply = await openai_client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert reply.status_code == 400
    assert not openai.jobs


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"api-key": "sk-key-a"}])
async def test_wrong_key_is_401(openai: OpenAiImagesServer, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=openai.url, headers=headers) as client:
        replies = [await client.post(PATH, json=BODY), await client.get("/v1/models")]

    assert [reply.status_code for reply in replies] == [401, 401]
    assert replies[0].json()["error"]["code"] == "invalid_api_key"


async def test_models_have_shutdown_dates(openai_client: httpx.AsyncClient) -> None:
    rows = {row["id"]: row["shutdown_date"] for row in (await openai_client.get("/v1/models")).json()["data"]}

    assert rows["gpt-image-1-mini"] == "2026-12-01"
    assert rows["gpt-image-2.6-flare"] is None
    assert "dall-e-3" not in rows
