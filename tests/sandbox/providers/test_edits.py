"""Edits of the reve2img fake: input fetching and the resulting images."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from sandbox.providers import Latency, Reve2ImgServer, State, derives_from, expected_mark, read_mark
from tests.sandbox.providers.support import Api, ImageServer, photo

Reve2Img = Api[Reve2ImgServer]


async def submit_edit(reve2img: Reve2Img, *urls: str, **fields: Any) -> None:
    """Submit an edit of the images at these addresses."""
    body = {"prompt": "make it dusk", "image_urls": list(urls), **fields}
    assert (await reve2img.send("POST", "/api/v1/generate", body)).status == 200


async def result(reve2img: Reve2Img) -> bytes:
    """Complete the latest task and return its first image."""
    job = await reve2img.server.finish_and_wait()
    return await reve2img.picture(reve2img.server.picture_urls(job)[0])


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_edit_derives_from_its_input(reve2img: Reve2Img, image_server: ImageServer, format_: str) -> None:
    source, other = photo("stripes", format_=format_), photo("rings")
    await submit_edit(reve2img, image_server.put("a", source))

    made = await result(reve2img)

    assert read_mark(made) == expected_mark("make it dusk", 0)
    assert (derives_from(made, source), derives_from(made, other)) == (True, False)


async def test_edit_of_several_inputs_derives_from_first(reve2img: Reve2Img, image_server: ImageServer) -> None:
    source, other = photo("rings"), photo("stripes")
    await submit_edit(reve2img, image_server.put("a", source), *(image_server.put(name, other) for name in "bcd"))

    made = await result(reve2img)
    with Image.open(io.BytesIO(made)) as opened:
        smaller = io.BytesIO()
        opened.convert("RGB").resize((640, 427)).save(smaller, "JPEG", quality=60)

    assert image_server.requested.count("a") == 1
    assert sorted(image_server.requested) == ["a", "b", "c", "d"]
    assert derives_from(smaller.getvalue(), source)
    assert not derives_from(smaller.getvalue(), other)


async def test_edit_with_effect_derives_from_input(reve2img: Reve2Img, image_server: ImageServer) -> None:
    source = photo("rings")
    steps = [{"process": "effect", "effect_name": "sepia"}]
    await submit_edit(reve2img, image_server.put("a", source), postprocessing=steps)

    made = await result(reve2img)

    assert derives_from(made, source, effect="sepia")
    assert not derives_from(made, photo("stripes"), effect="sepia")


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (720, 1456)),
        ({"aspect_ratio": "auto"}, (720, 1456)),
        ({"aspect_ratio": "16:9"}, (1360, 768)),
        ({"model": "seedream-5", "resolution": "2K"}, (1456, 2896)),
        ({"upscale": "enabled", "upscale_factor": 2}, (1440, 2912)),
    ],
)
async def test_edit_size_follows_first_input_unless_requested(
    reve2img: Reve2Img, image_server: ImageServer, fields: dict[str, Any], size: tuple[int, int]
) -> None:
    await submit_edit(reve2img, image_server.put("a", photo(size=(300, 600))), **fields)

    with Image.open(io.BytesIO(await result(reve2img))) as picture:
        assert picture.size == size


async def test_fetched_inputs_are_recorded_without_addresses(reve2img: Reve2Img, image_server: ImageServer) -> None:
    contents = [photo("rings", (64, 48), "JPEG"), photo("stripes", (32, 32))]
    await submit_edit(reve2img, *(image_server.put(str(at), content) for at, content in enumerate(contents)))
    job = await reve2img.server.finish_and_wait()

    seen = (await reve2img.send("GET", "/sandbox/jobs", key=None)).json["jobs"][0]["inputs"]

    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    assert [each.sha256 for each in job.inputs] == digests
    assert [(each["sha256"], each["format"], each["width"], each["height"]) for each in seen] == [
        (digests[0], "jpeg", 64, 48),
        (digests[1], "png", 32, 32),
    ]
    assert image_server.url not in str(seen)


async def test_input_is_fetched_at_task_start(reve2img: Reve2Img, image_server: ImageServer) -> None:
    await submit_edit(reve2img, image_server.at("late"))
    early = list(image_server.requested)
    image_server.put("late", photo())

    job = await reve2img.server.finish_and_wait()

    assert (early, image_server.requested, job.state) == ([], ["late"], State.COMPLETED)


async def test_edit_with_timers_completes(reve2img: Reve2Img, image_server: ImageServer) -> None:
    reve2img.server.latency = Latency(queue=0.0, work=0.0)
    await submit_edit(reve2img, image_server.put("a", photo()))

    await reve2img.server.wait_for(lambda: reve2img.server.jobs[0].state is State.COMPLETED)


async def test_inline_edit_responds_with_images(reve2img: Reve2Img, image_server: ImageServer) -> None:
    reve2img.server.faults.add("submit", "inline")
    body = {"prompt": "x", "image_urls": [image_server.put("a", photo())]}

    reply = await reve2img.send("POST", "/api/v1/generate", body)

    assert reply.json["data"]["status"] == "SUCCESS"
    assert len(reply.json["data"]["response"]["resultUrls"]) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "Failed to download image_urls[1]"),
        (b"", "image_urls[1] is not a supported image"),
        (b"<!doctype html>", "image_urls[1] is not a supported image"),
        (photo()[:300], "image_urls[1] is not a supported image"),
        (photo(format_="TIFF"), "image_urls[1] is not a supported image"),
        (lambda: photo(format_="GIF", size=(16_000, 2_100)), "image_urls[1] has too many pixels"),
        (b"\0" * (40 * 1024 * 1024 + 1), "image_urls[1] is larger than 40 MB"),
    ],
    ids=["missing", "empty", "page", "broken off", "format", "pixels", "bytes"],
)
async def test_unusable_input_fails_task_and_refunds(
    reve2img: Reve2Img, image_server: ImageServer, content: bytes | Callable[[], bytes] | None, reason: str
) -> None:
    if content is not None:
        image_server.put("b", content() if callable(content) else content)
    await submit_edit(reve2img, image_server.put("a", photo()), image_server.at("b"))
    job = await reve2img.server.finish_and_wait()

    task = (await reve2img.send("GET", f"/api/v1/status?task_id={job.id}")).json["data"]

    assert (task["status"], task["error_message"]) == ("FAILED", reason)
    assert not reve2img.server.billed


@pytest.mark.parametrize("url", ["https://a.example/x.png", "http://127.0.0.1:1/x.png", "http://[/", "http://"])
async def test_remote_input_is_not_fetched(reve2img: Reve2Img, url: str) -> None:
    await submit_edit(reve2img, url)

    assert (await reve2img.server.finish_and_wait()).error == "Failed to download image_urls[0]"


async def test_failing_job_ends_without_fetching_input(reve2img: Reve2Img, image_server: ImageServer) -> None:
    reve2img.server.faults.add("submit", "fail", reason="content")
    await submit_edit(reve2img, image_server.at("a"))

    assert reve2img.server.finish().state is State.FAILED
    assert image_server.requested == []


async def test_close_cancels_input_fetch(reve2img: Reve2Img) -> None:
    silent = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        await submit_edit(reve2img, f"http://127.0.0.1:{port}/x.png")
        job = reve2img.server.advance()
        await asyncio.sleep(0)

        await reve2img.server.close()

        assert job.fetch_task is not None
        with pytest.raises(asyncio.CancelledError):
            await job.fetch_task
