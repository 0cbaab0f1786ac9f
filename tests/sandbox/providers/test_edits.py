"""The stand-in for reve2img fetches what it is to edit when the task starts, and its result shows what it edited."""

import asyncio
import hashlib
import io
from typing import Any

import pytest
from PIL import Image

from sandbox.providers import Latency, Reve2ImgServer, State, derives_from, expected_mark, read_mark
from tests.sandbox.providers.support import Api, ImageServer, photo

Reve2Img = Api[Reve2ImgServer]


async def submitted(reve2img: Reve2Img, *urls: str, **fields: Any) -> None:
    """Submit an edit of what is at these addresses."""
    body = {"prompt": "make it dusk", "image_urls": list(urls), **fields}
    assert (await reve2img.send("POST", "/api/v1/generate", body)).status == 200


async def result(reve2img: Reve2Img) -> bytes:
    """Let the latest task end and return its first picture."""
    job = await reve2img.server.finish_and_wait()
    return await reve2img.picture(reve2img.server.picture_urls(job)[0])


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_an_edit_shows_the_picture_it_was_made_from(reve2img: Reve2Img, shelf: ImageServer, format_: str) -> None:
    """The pixels prove whose job it is, and which of two photos it began with."""
    source, other = photo("stripes", format_=format_), photo("rings")
    await submitted(reve2img, shelf.put("a", source))

    made = await result(reve2img)

    assert read_mark(made) == expected_mark("make it dusk", 0)
    assert (derives_from(made, source), derives_from(made, other)) == (True, False)


async def test_the_others_are_insets_of_the_first(reve2img: Reve2Img, shelf: ImageServer) -> None:
    """Of several inputs the first is the photo that is edited; a scaled and compressed result still shows it."""
    source, other = photo("rings"), photo("stripes")
    await submitted(reve2img, shelf.put("a", source), *(shelf.put(name, other) for name in "bcd"))

    made = await result(reve2img)
    with Image.open(io.BytesIO(made)) as opened:
        smaller = io.BytesIO()
        opened.convert("RGB").resize((640, 427)).save(smaller, "JPEG", quality=60)

    assert shelf.taken.count("a") == 1
    assert sorted(shelf.taken) == ["a", "b", "c", "d"]
    assert derives_from(smaller.getvalue(), source)
    assert not derives_from(smaller.getvalue(), other)


async def test_an_effect_hides_nothing(reve2img: Reve2Img, shelf: ImageServer) -> None:
    """Its colours take the place of the photo's, which is still known by its tones."""
    source = photo("rings")
    steps = [{"process": "effect", "effect_name": "sepia"}]
    await submitted(reve2img, shelf.put("a", source), postprocessing=steps)

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
async def test_the_shape_is_that_of_the_first_picture(
    reve2img: Reve2Img, shelf: ImageServer, fields: dict[str, Any], size: tuple[int, int]
) -> None:
    """Unless another one was asked for."""
    await submitted(reve2img, shelf.put("a", photo(size=(300, 600))), **fields)

    with Image.open(io.BytesIO(await result(reve2img))) as picture:
        assert picture.size == size


async def test_what_was_fetched_is_on_record(reve2img: Reve2Img, shelf: ImageServer) -> None:
    """How many, in which order, and their digests; to be seen from another process too, without their addresses."""
    contents = [photo("rings", (64, 48), "JPEG"), photo("stripes", (32, 32))]
    await submitted(reve2img, *(shelf.put(str(at), content) for at, content in enumerate(contents)))
    job = await reve2img.server.finish_and_wait()

    seen = (await reve2img.send("GET", "/sandbox/jobs", key=None)).json["jobs"][0]["inputs"]

    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    assert [each.sha256 for each in job.inputs] == digests
    assert [(each["sha256"], each["format"], each["width"], each["height"]) for each in seen] == [
        (digests[0], "jpeg", 64, 48),
        (digests[1], "png", 32, 32),
    ]
    assert shelf.url not in str(seen)


async def test_a_picture_may_come_after_the_submit(reve2img: Reve2Img, shelf: ImageServer) -> None:
    """Nothing is fetched before the task starts."""
    await submitted(reve2img, shelf.at("late"))
    early = list(shelf.taken)
    shelf.put("late", photo())

    job = await reve2img.server.finish_and_wait()

    assert (early, shelf.taken, job.state) == ([], ["late"], State.COMPLETED)


async def test_timers_carry_an_edit_through(reve2img: Reve2Img, shelf: ImageServer) -> None:
    """Without a hand it starts, fetches, works and ends."""
    reve2img.server.latency = Latency(queue=0.0, work=0.0)
    await submitted(reve2img, shelf.put("a", photo()))

    await reve2img.server.wait_for(lambda: reve2img.server.jobs[0].state is State.COMPLETED)


async def test_an_inline_edit_waits_for_its_input(reve2img: Reve2Img, shelf: ImageServer) -> None:
    """A synchronous answer comes with the pictures."""
    reve2img.server.faults.add("submit", "inline")
    body = {"prompt": "x", "image_urls": [shelf.put("a", photo())]}

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
        (photo(format_="GIF", size=(16_000, 2_100)), "image_urls[1] has too many pixels"),
        (b"\0" * (40 * 1024 * 1024 + 1), "image_urls[1] is larger than 40 MB"),
    ],
    ids=["missing", "empty", "page", "broken off", "format", "pixels", "bytes"],
)
async def test_an_unusable_picture_fails_the_task(
    reve2img: Reve2Img, shelf: ImageServer, content: bytes | None, reason: str
) -> None:
    """It says which one, and the credits are given back."""
    if content is not None:
        shelf.put("b", content)
    await submitted(reve2img, shelf.put("a", photo()), shelf.at("b"))
    job = await reve2img.server.finish_and_wait()

    task = (await reve2img.send("GET", f"/api/v1/status?task_id={job.id}")).json["data"]

    assert (task["status"], task["error_message"]) == ("FAILED", reason)
    assert not reve2img.server.billed


@pytest.mark.parametrize("url", ["https://a.example/x.png", "http://127.0.0.1:1/x.png", "http://[/", "http://"])
async def test_what_is_not_here_is_not_reached(reve2img: Reve2Img, url: str) -> None:
    """Nothing leaves this machine."""
    await submitted(reve2img, url)

    assert (await reve2img.server.finish_and_wait()).error == "Failed to download image_urls[0]"


async def test_a_job_that_fails_anyway_needs_no_input(reve2img: Reve2Img, shelf: ImageServer) -> None:
    """It ends at once, by hand too."""
    reve2img.server.faults.add("submit", "fail", reason="content")
    await submitted(reve2img, shelf.at("a"))

    assert reve2img.server.finish().state is State.FAILED
    assert shelf.taken == []


async def test_closing_leaves_nothing_behind(reve2img: Reve2Img) -> None:
    """Not even when a picture is on its way."""
    silent = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        await submitted(reve2img, f"http://127.0.0.1:{port}/x.png")
        job = reve2img.server.advance()
        await asyncio.sleep(0)

        await reve2img.server.close()

        assert job.fetch_task is not None
        with pytest.raises(asyncio.CancelledError):
            await job.fetch_task
