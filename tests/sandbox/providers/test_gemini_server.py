"""The fake of Gemini follows its documents."""

import base64
import io
from decimal import Decimal
from typing import Any

import httpx
import pillow_heif
import pytest
from PIL import Image

from sandbox.providers import GeminiServer, derives_from, expected_mark, read_manifest, read_mark
from tests.sandbox.providers.support import ImageServer, photo

MODEL = "gemini-nano-banana-2.1"


def path(model: str = MODEL) -> str:
    """Return the path of a call."""
    return f"/models/{model}:generateContent"


def body(prompt: str = "a fox", *parts: dict[str, Any], **image: Any) -> dict[str, Any]:
    """Return a call's body; `image` is its imageConfig."""
    config: dict[str, Any] = {"responseModalities": ["TEXT", "IMAGE"]}
    if image:
        config["imageConfig"] = image
    return {"contents": [{"role": "user", "parts": [{"text": prompt}, *parts]}], "generationConfig": config}


def inline(content: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """Return an inline picture."""
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(content).decode()}}


def parts(reply: httpx.Response) -> list[dict[str, Any]]:
    """Return the parts of the only candidate."""
    (candidate,) = reply.json()["candidates"]
    found: list[dict[str, Any]] = candidate["content"]["parts"]
    return found


def picture(reply: httpx.Response) -> bytes:
    """Return the picture outside of the thoughts."""
    (found,) = (each for each in parts(reply) if "inlineData" in each and not each.get("thought"))
    return base64.b64decode(found["inlineData"]["data"])


async def test_reply_has_a_thought_before_the_picture(gemini: GeminiServer, gemini_client: httpx.AsyncClient) -> None:
    reply = await gemini_client.post(path(), json=body())

    kinds = [("inlineData" if "inlineData" in each else "text", each.get("thought", False)) for each in parts(reply)]
    assert kinds == [("text", True), ("inlineData", True), ("text", False), ("inlineData", False)]
    thought = base64.b64decode(parts(reply)[1]["inlineData"]["data"])
    assert picture(reply) == gemini.jobs[0].pictures[0]
    assert read_mark(thought) != read_mark(picture(reply)) == expected_mark("a fox", 0)
    assert read_manifest(picture(reply)) is not None
    assert read_manifest(thought) is None
    assert reply.json()["candidates"][0]["finishReason"] == "STOP"
    assert reply.json()["responseId"] == gemini.jobs[0].id


async def test_reply_without_text_modality_has_no_text(gemini_client: httpx.AsyncClient) -> None:
    reply = await gemini_client.post(path(), json={**body(), "generationConfig": {"responseModalities": ["IMAGE"]}})

    assert [each for each in parts(reply) if "text" in each and not each.get("thought")] == []


@pytest.mark.parametrize(
    ("model", "size", "tokens", "cost"),
    [
        (MODEL, "1K", 1120, "0.033603"),
        (MODEL, "4K", 3767, "0.113013"),
        ("gemini-3-pro-image", "2K", 1120, "0.134404"),
        ("gemini-3-pro-image", "4K", 2000, "0.240004"),
        ("gemini-3.1-flash-lite-image", "1K", 1120, "0.033603"),
    ],
)
async def test_bill_is_that_of_the_tokens(
    gemini: GeminiServer, gemini_client: httpx.AsyncClient, model: str, size: str, tokens: int, cost: str
) -> None:
    reply = await gemini_client.post(path(model), json=body("a fox", imageSize=size, aspectRatio="1:1"))

    usage = reply.json()["usageMetadata"]
    assert (usage["promptTokenCount"], usage["candidatesTokenCount"]) == (2, tokens)
    assert usage["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": tokens}]
    assert gemini.billed[0].cost == Decimal(cost)
    with Image.open(io.BytesIO(picture(reply))) as opened:
        assert opened.size == {"1K": (1024, 1024), "2K": (2048, 2048), "4K": (4096, 4096)}[size]


@pytest.mark.parametrize(("ratio", "size"), [("16:9", (1360, 768)), ("1:8", (368, 2896)), ("21:9", (1568, 672))])
async def test_picture_has_requested_ratio(gemini_client: httpx.AsyncClient, ratio: str, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(picture(await gemini_client.post(path(), json=body(aspectRatio=ratio))))) as opened:
        assert opened.size == size


@pytest.mark.parametrize(
    ("media_type", "format_"), [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("image/webp", "WEBP")]
)
async def test_edit_derives_from_its_inline_picture(
    gemini: GeminiServer, gemini_client: httpx.AsyncClient, media_type: str, format_: str
) -> None:
    source = photo("rings", format_=format_)

    reply = await gemini_client.post(path(), json=body("make it dusk", inline(source, media_type), inline(photo())))

    assert derives_from(picture(reply), source)
    assert reply.json()["usageMetadata"]["promptTokenCount"] == 3 + 2 * 560
    assert len(gemini.jobs[0].inputs) == 2


async def test_heic_picture_is_read(gemini_client: httpx.AsyncClient) -> None:
    with Image.open(io.BytesIO(photo("rings"))) as opened:
        file = io.BytesIO()
        pillow_heif.from_pillow(opened.convert("RGB")).save(file, quality=90)

    reply = await gemini_client.post(path(), json=body("make it dusk", inline(file.getvalue(), "image/heic")))

    assert derives_from(picture(reply), photo("rings"))


async def test_picture_at_an_address_is_fetched(gemini_client: httpx.AsyncClient, image_server: ImageServer) -> None:
    source = photo("rings")
    part = {"fileData": {"mimeType": "image/png", "fileUri": image_server.put("a", source)}}

    assert derives_from(picture(await gemini_client.post(path(), json=body("make it dusk", part))), source)


SMALL = photo(size=(64, 64))


@pytest.mark.parametrize(
    "call",
    [
        None,
        [],
        {},
        {"contents": []},
        {"contents": [{}]},
        {"contents": [{"parts": []}]},
        {"contents": [{"parts": ["a fox"]}]},
        {"contents": [{"parts": [{"text": 5}]}]},
        {"contents": [{"role": "system", "parts": [{"text": "x"}]}]},
        {"contents": [{"parts": [inline(SMALL)]}]},
        {**body(), "prompt": "x"},
        body(" "),
        body("x", {"text": "a", "inlineData": {}}),
        body("x", {"inline_data": {}}),
        body("x", *([inline(SMALL)] * 15)),
        body("x", inline(b"no picture")),
        body("x", inline(SMALL, "image/jpeg")),
        body("x", inline(SMALL, "image/gif")),
        body("x", inline(photo(format_="GIF"))),
        body("x", {"inlineData": {"mimeType": "image/png", "data": "???"}}),
        body("x", {"fileData": {"mimeType": "image/png", "fileUri": "https://elsewhere.example/a.png"}}),
        body("x", aspectRatio="7:3"),
        body("x", aspectRatio=["1:1"]),
        body("x", imageSize="1k"),
        body("x", imageSize="8K"),
        body("x", seed=3),
        {**body(), "generationConfig": {"responseModalities": ["TEXT"]}},
        {**body(), "generationConfig": {"candidateCount": 2}},
    ],
)
async def test_undocumented_call_is_invalid_argument(
    gemini: GeminiServer, gemini_client: httpx.AsyncClient, call: Any
) -> None:
    reply = await gemini_client.post(path(), json=call)

    error = reply.json()["error"]
    assert (reply.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert set(error) == {"code", "message", "status", "details"}
    assert not gemini.jobs


@pytest.mark.parametrize(
    ("model", "image"),
    [("gemini-3-pro-image", {"aspectRatio": "1:8"}), ("gemini-3.1-flash-lite-image", {"imageSize": "2K"})],
)
async def test_abilities_differ_by_model(gemini_client: httpx.AsyncClient, model: str, image: dict[str, str]) -> None:
    assert (await gemini_client.post(path(model), json=body("x", **image))).status_code == 400


async def test_inline_pictures_above_the_total_are_refused(
    gemini_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.providers.gemini.requests._MAX_INLINE_BYTES", 2 * len(SMALL) - 1)

    assert (await gemini_client.post(path(), json=body("x", inline(SMALL)))).status_code == 200
    assert (await gemini_client.post(path(), json=body("x", inline(SMALL), inline(SMALL)))).status_code == 400


async def test_key_in_another_header_is_refused(gemini: GeminiServer) -> None:
    async with httpx.AsyncClient(base_url=f"{gemini.url}/v1beta") as client:
        none = await client.post(path(), json=body(), headers={"Authorization": "Bearer key-a"})
        wrong = await client.post(path(), json=body(), headers={"x-goog-api-key": "wrong"})

    assert (none.status_code, none.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert (wrong.status_code, wrong.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")


async def test_models_are_listed_and_others_are_404(gemini_client: httpx.AsyncClient) -> None:
    names = [each["name"] for each in (await gemini_client.get("/models")).json()["models"]]
    gone = await gemini_client.post(path("gemini-2.5-flash-image"), json=body())
    method = await gemini_client.post(f"/models/{MODEL}:streamGenerateContent", json=body())

    assert f"models/{MODEL}" in names
    assert (gone.status_code, gone.json()["error"]["status"], method.status_code) == (404, "NOT_FOUND", 404)
