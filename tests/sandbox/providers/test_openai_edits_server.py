"""Edits and streams of the fake of OpenAI's Images API."""

import base64
import io
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from sandbox.providers import OpenAiImagesServer, derives_from, read_manifest
from tests.sandbox.providers.support import ImageServer, photo

PATH = "/v1/images/edits"
MODEL = "gpt-image-2.5-flare"
FORM = {"model": MODEL, "prompt": "make it dusk"}

File = tuple[str, tuple[str, bytes, str]]


def file(content: bytes, name: str = "image[]", kind: str = "image/png") -> File:
    """Return a file of a form."""
    return name, ("a.png", content, kind)


def mask(size: tuple[int, int] = (600, 400), mode: str = "RGBA") -> bytes:
    """Return an encoded mask."""
    content = io.BytesIO()
    Image.new(mode, size).save(content, "PNG")
    return content.getvalue()


def data_url(content: bytes) -> str:
    """Return a data URL of a PNG."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def picture(reply: httpx.Response) -> bytes:
    """Return the first picture of a reply."""
    return base64.b64decode(reply.json()["data"][0]["b64_json"])


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
async def test_form_edit_derives_from_its_first_file(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, format_: str
) -> None:
    source, other = photo("stripes", format_=format_), photo("rings")

    reply = await openai_client.post(PATH, data={**FORM, "n": "1"}, files=[file(source), file(other)])

    made = picture(reply)
    assert (reply.status_code, reply.json()["size"]) == (200, "1536x1024")
    assert (derives_from(made, source), derives_from(made, other)) == (True, False)
    assert read_manifest(made) is not None
    assert [each.format for each in openai.jobs[0].inputs] == [format_.lower(), "png"]
    assert openai.requests[-1].body["image[]"][0]["length"] == len(source)


async def test_edit_bills_its_input_tokens(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient) -> None:
    reply = await openai_client.post(PATH, data={**FORM, "size": "1024x1024"}, files=[file(photo(size=(1024, 1024)))])

    usage = reply.json()["usage"]
    assert usage["input_tokens_details"] == {"text_tokens": 3, "image_tokens": 1024}
    assert openai.billed[0].cost == Decimal("0.021377")


async def test_json_edit_takes_data_urls_and_addresses(
    openai_client: httpx.AsyncClient, image_server: ImageServer
) -> None:
    source, other = photo("rings"), photo("stripes")
    images = [{"image_url": data_url(source)}, {"image_url": image_server.put("b", other)}]

    reply = await openai_client.post(PATH, json={**FORM, "images": images, "mask": {"image_url": data_url(mask())}})

    assert derives_from(picture(reply), source)
    assert image_server.requested == ["b"]


@pytest.mark.parametrize(
    "extra",
    [file(mask(), "mask"), file(mask(), "markup")],
    ids=["mask", "markup"],
)
async def test_mask_or_markup_is_taken(openai_client: httpx.AsyncClient, extra: File) -> None:
    assert (await openai_client.post(PATH, data=FORM, files=[file(photo()), extra])).status_code == 200


async def test_masked_edit_changes_only_the_transparent_part(openai_client: httpx.AsyncClient) -> None:
    source = photo("rings", size=(600, 600))
    half = Image.new("RGBA", (600, 600), "white")
    half.paste((0, 0, 0, 0), (300, 0, 600, 600))
    content = io.BytesIO()
    half.save(content, "PNG")
    form = {**FORM, "size": "1024x1024"}

    reply = await openai_client.post(PATH, data=form, files=[file(source), file(content.getvalue(), "mask")])

    with Image.open(io.BytesIO(picture(reply))) as made, Image.open(io.BytesIO(source)) as original:
        expected = original.convert("RGB").resize((1024, 1024), Image.Resampling.BICUBIC)
        kept, changed = (
            ImageStat.Stat(ImageChops.difference(made.convert("RGB"), expected).crop(box).convert("L")).mean[0]
            for box in ((0, 0, 500, 900), (524, 0, 1024, 900))
        )
    assert kept < 2
    assert changed > 5


PHOTO = photo(size=(64, 64))
SMALL_MASK = mask((64, 64))


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ({}, [], "body"),
        ({}, [file(PHOTO)] * 17, "image"),
        ({}, [file(b"not a picture")], "image[0]"),
        ({}, [file(b"")], "image[0]"),
        ({}, [file(PHOTO[:80])], "image[0]"),
        ({}, [file(photo(format_="GIF"))], "image[0]"),
        ({}, [file(PHOTO), file(mask((64, 32)), "mask")], "mask"),
        ({}, [file(PHOTO), file(mask((64, 64), "RGB"), "mask")], "mask"),
        ({}, [file(PHOTO), file(photo(size=(64, 64), format_="WEBP"), "mask")], "mask"),
        ({}, [file(PHOTO), file(SMALL_MASK + b"\0" * 4 * 1024**2, "mask")], "mask"),
        ({}, [file(PHOTO), file(SMALL_MASK, "mask"), file(SMALL_MASK, "markup")], "markup"),
        ({"model": "gpt-image-2"}, [file(PHOTO), file(SMALL_MASK, "markup")], "markup"),
        ({"input_fidelity": "high"}, [file(PHOTO)], "input_fidelity"),
        ({"n": "many"}, [file(PHOTO)], "n"),
        ({"stream": "maybe"}, [file(PHOTO)], "stream"),
        ({"seed": "1"}, [file(PHOTO)], "seed"),
        ({"prompt": " "}, [file(PHOTO)], "prompt"),
        ({}, [file(PHOTO), file(PHOTO, "other")], "other"),
    ],
)
async def test_bad_form_is_400(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, fields: dict[str, str], files: list[File], param: str
) -> None:
    reply = await openai_client.post(PATH, data={**FORM, **fields}, files=files)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert not openai.jobs


@pytest.mark.parametrize(
    "images",
    [
        [],
        None,
        "x",
        ["x"],
        [{}],
        [{"url": "https://a.example/x.png"}],
        [{"file_id": "file-1"}],
        [{"image_url": 5}],
        [{"image_url": "data:image/png;base64,???"}],
        [{"image_url": "data:image/png,abc"}],
        [{"image_url": "data:image/png;base64,aGVsbG8="}],
        [{"image_url": "https://elsewhere.example/x.png"}],
        [{"image_url": "file:///etc/passwd"}],
        [{"image_url": "data:" + "x" * 20_971_520}],
    ],
)
async def test_bad_json_edit_is_400(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient, images: Any) -> None:
    reply = await openai_client.post(PATH, json={**FORM, "images": images})

    assert reply.status_code == 400
    assert not openai.jobs


async def test_file_above_the_limit_is_400(openai_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.providers.openai.requests._MAX_FILE_BYTES", len(PHOTO))

    reply = await openai_client.post(PATH, data=FORM, files=[file(PHOTO)])

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "image[0]")


async def test_older_model_takes_input_fidelity(openai_client: httpx.AsyncClient) -> None:
    form = {**FORM, "model": "gpt-image-1.5", "input_fidelity": "high"}

    assert (await openai_client.post(PATH, data=form, files=[file(PHOTO)])).status_code == 200


async def test_broken_form_is_400(openai_client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    assert (await openai_client.post(PATH, content=b"--x\r\nhalf", headers=headers)).status_code == 400
    assert (await openai_client.post("/v1/images/generations", data=FORM, files=[file(PHOTO)])).status_code == 400


async def stream(openai_client: httpx.AsyncClient, **fields: Any) -> list[dict[str, Any]]:
    """Return the events of a streamed generation."""
    body = {"model": MODEL, "prompt": "a fox", "stream": True, **fields}
    async with openai_client.stream("POST", "/v1/images/generations", json=body) as reply:
        lines = [line async for line in reply.aiter_lines()]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def test_stream_has_partial_pictures_then_the_whole_one(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    events = await stream(openai_client, partial_images=2)

    assert [event["type"].partition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    made = base64.b64decode(events[-1]["b64_json"])
    assert made == openai.jobs[0].pictures[0]
    assert base64.b64decode(events[0]["b64_json"]) != made
    assert events[-1]["usage"]["output_tokens"] == 439 + 200


async def test_late_refusal_of_stream_is_an_event(openai: OpenAiImagesServer, openai_client: httpx.AsyncClient) -> None:
    openai.faults.play("refused_output")

    (event,) = await stream(openai_client)

    assert (event["type"], event["error"]["code"]) == ("error", "moderation_blocked")
    assert not openai.billed


async def test_broken_stream_is_billed_without_its_picture(
    openai: OpenAiImagesServer, openai_client: httpx.AsyncClient
) -> None:
    openai.faults.play("reply_lost")
    received: list[str] = []

    async def receive() -> None:
        body = {"model": MODEL, "prompt": "a fox", "stream": True, "partial_images": 1}
        async with openai_client.stream("POST", "/v1/images/generations", json=body) as reply:
            async for line in reply.aiter_lines():
                received.append(line[:40])  # noqa: PERF401 - the stream breaks

    with pytest.raises(httpx.TransportError):
        await receive()
    assert any("partial_image" in line for line in received)
    assert not any("completed" in line for line in received)
    assert len(openai.billed) == 1
