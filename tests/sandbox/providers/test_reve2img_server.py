"""The fake of reve2img follows its page."""

import io
from typing import Any

import pytest
from PIL import Image

from sandbox.providers import Reve2ImgServer, expected_mark, read_mark
from tests.sandbox.providers.support import Api

Reve2Img = Api[Reve2ImgServer]


async def test_new_task_is_in_progress_in_envelope(reve2img: Reve2Img) -> None:
    reply = await reve2img.send("POST", "/api/v1/generate", {"prompt": "a fox"})

    job = reve2img.server.jobs[0]
    assert reply.json == {"code": 200, "message": "success", "data": {"task_id": job.id, "status": "IN_PROGRESS"}}
    assert job.request.model == "reve-2.0"


@pytest.mark.parametrize(
    ("body", "cost"),
    [
        ({}, 12),
        ({"image_urls": ["https://a.example/x.png"]}, 20),
        ({"num_images": 2, "test_time_scaling": 3}, 72),
        ({"model": "nano-banana"}, 20),
        ({"model": "nano-banana-pro"}, 70),
        ({"model": "nano-banana-pro", "resolution": "4K"}, 140),
        ({"model": "seedream-5", "resolution": "4K"}, 25),
        ({"upscale": "enabled"}, 18),
        ({"upscale": "disabled", "remove_background": False}, 12),
        ({"upscale": "enabled", "upscale_factor": 4, "remove_background": True, "num_images": 2}, 60),
        ({"test_time_scaling": 2, "postprocessing": [{"process": "upscale", "upscale_factor": 3}]}, 33),
        ({"postprocessing": [{"process": "effect", "effect_name": "sepia"}, {"process": "remove_background"}]}, 22),
        ({"postprocessing": [{"process": "fit_image", "max_dim": 512}], "version": "latest"}, 12),
    ],
)
async def test_task_takes_its_credits_at_creation(reve2img: Reve2Img, body: dict[str, Any], cost: int) -> None:
    reve2img.server.store.balance = 1000
    await reve2img.send("POST", "/api/v1/generate", {"prompt": "a fox", **body})

    assert [charge.cost for charge in reve2img.server.billed] == [cost]
    assert reve2img.server.store.balance == 1000 - cost


async def test_failed_task_refunds_credits(reve2img: Reve2Img) -> None:
    reve2img.server.store.balance = 12
    reve2img.server.faults.add("submit", "fail", reason="vendor")
    await reve2img.send("POST", "/api/v1/generate", {"prompt": "a fox"})
    requested = reve2img.server.store.balance
    job = reve2img.server.finish()
    reply = await reve2img.send("GET", f"/api/v1/status?task_id={job.id}")

    assert (requested, reve2img.server.store.balance) == (0, 12)
    assert not reve2img.server.billed
    assert reply.json["data"]["status"] == "FAILED"
    assert reply.json["data"]["error_message"] == job.error


async def test_finished_task_has_cost_and_urls(reve2img: Reve2Img) -> None:
    await reve2img.send("POST", "/api/v1/generate", {"prompt": "a fox", "num_images": 2})
    job = reve2img.server.finish()
    reply = await reve2img.send("GET", f"/api/v1/status?task_id={job.id}")

    assert reply.json["data"] == {
        "task_id": job.id,
        "status": "SUCCESS",
        "consumed_credits": 24,
        "response": {"resultUrls": reve2img.server.picture_urls(job)},
    }


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"prompt": ""},
        {"prompt": "x", "model": "other"},
        {"prompt": "x", "num_images": 5},
        {"prompt": "x", "output_format": "gif"},
        {"prompt": "x", "aspect_ratio": "7:3"},
        {"prompt": "x", "resolution": "1K"},
        {"prompt": "x", "model": "seedream-5", "resolution": "8K"},
        {"prompt": "x", "model": "seedream-5", "test_time_scaling": 2},
        {"prompt": "x", "model": "seedream-5", "aspect_ratio": "auto"},
        {"prompt": "x", "model": "nano-banana", "image_urls": ["https://a.example/x.png"]},
        {"prompt": "x", "image_urls": [1]},
        {"prompt": "x", "test_time_scaling": 16},
        {"prompt": "x", "upscale": True},
        {"prompt": "x", "upscale": "enabled", "upscale_factor": 5},
        {"prompt": "x", "upscale": "enabled", "upscale_factor": True},
        {"prompt": "x", "upscale_factor": 2},
        {"prompt": "x", "upscale": "disabled", "upscale_factor": 2},
        {"prompt": "x", "remove_background": "true"},
        {"prompt": "x", "upscale": "enabled", "postprocessing": []},
        {"prompt": "x", "remove_background": False, "postprocessing": []},
        {"prompt": "x", "postprocessing": {"process": "remove_background"}},
        {"prompt": "x", "postprocessing": ["remove_background"]},
        {"prompt": "x", "postprocessing": [{"process": "sharpen"}]},
        {"prompt": "x", "postprocessing": [{"process": ["upscale"]}]},
        {"prompt": "x", "postprocessing": [{"process": "upscale"}]},
        {"prompt": "x", "postprocessing": [{"process": "upscale", "upscale_factor": 5}]},
        {"prompt": "x", "postprocessing": [{"process": "upscale", "upscale_factor": 2, "more": 1}]},
        {"prompt": "x", "postprocessing": [{"process": "remove_background"}, {"process": "remove_background"}]},
        {"prompt": "x", "postprocessing": [{"process": "fit_image"}]},
        {"prompt": "x", "postprocessing": [{"process": "fit_image", "max_dim": 4097}]},
        {"prompt": "x", "postprocessing": [{"process": "fit_image", "max_width": 0}]},
        {"prompt": "x", "postprocessing": [{"process": "fit_image", "max_depth": 10}]},
        {"prompt": "x", "postprocessing": [{"process": "effect", "effect_name": " "}]},
        {"prompt": "x", "version": "newest"},
        {"prompt": "x", "version": 1},
        {"prompt": "x", "version": "latest-fast"},
        {"prompt": "x", "image_urls": []},
        {"prompt": "x", "image_urls": ["data:image/png;base64,"]},
        {"prompt": "x", "image_urls": ["https://a.example/x.png"] * 9},
        {"prompt": "x", "quality": "high"},
        {"prompt": "x", "model": "nano-banana-pro", "remove_background": True},
        {"prompt": "x", "model": "nano-banana", "version": "latest"},
        {"prompt": "x", "model": "seedream-5", "postprocessing": []},
    ],
)
async def test_undocumented_request_is_400_in_envelope(reve2img: Reve2Img, body: Any) -> None:
    reply = await reve2img.send("POST", "/api/v1/generate", body)

    assert (reply.status, reply.json["code"]) == (400, 400)
    assert not reve2img.server.jobs


async def test_missing_key_low_balance_and_unknown_task_are_refused(reve2img: Reve2Img) -> None:
    reve2img.server.store.balance = 11

    assert (await reve2img.send("POST", "/api/v1/generate", {"prompt": "x"}, key=None)).status == 401
    assert (await reve2img.send("POST", "/api/v1/generate", {"prompt": "x"})).status == 402
    assert (await reve2img.send("GET", "/api/v1/status?task_id=x")).status == 404


async def test_inline_task_responds_with_success(reve2img: Reve2Img) -> None:
    reve2img.server.faults.add("submit", "inline")

    reply = await reve2img.send("POST", "/api/v1/generate", {"prompt": "x"})

    assert reply.json["data"]["status"] == "SUCCESS"
    assert reply.json["data"]["response"]["resultUrls"] == reve2img.server.picture_urls(reve2img.server.jobs[0])


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({"model": "seedream-5", "resolution": "2K"}, (2048, 2048)),
        ({"upscale": "enabled", "upscale_factor": 2, "aspect_ratio": "16:9"}, (2720, 1536)),
        ({"postprocessing": [{"process": "fit_image", "max_dim": 512}], "aspect_ratio": "16:9"}, (512, 289)),
        ({"postprocessing": [{"process": "fit_image", "max_width": 512}]}, (512, 512)),
        ({"postprocessing": [{"process": "fit_image", "max_height": 300, "max_width": 512}]}, (300, 300)),
        ({"postprocessing": [{"process": "fit_image", "max_dim": 4096}]}, (1024, 1024)),
        (
            {
                "postprocessing": [
                    {"process": "upscale", "upscale_factor": 4},
                    {"process": "fit_image", "max_dim": 2000},
                ]
            },
            (2000, 2000),
        ),
        ({"postprocessing": [{"process": "fit_image", "max_dim": 1}]}, (1, 1)),
    ],
)
async def test_image_has_requested_size(reve2img: Reve2Img, body: dict[str, Any], size: tuple[int, int]) -> None:
    await reve2img.send("POST", "/api/v1/generate", {"prompt": "a fox", **body})
    (url,) = reve2img.server.picture_urls(reve2img.server.finish())

    with Image.open(io.BytesIO(await reve2img.picture(url))) as picture:
        assert picture.size == size


async def test_removed_background_is_transparent_and_mark_stays(reve2img: Reve2Img) -> None:
    await reve2img.send("POST", "/api/v1/generate", {"prompt": "a fox", "remove_background": True})
    (url,) = reve2img.server.picture_urls(reve2img.server.finish())
    data = await reve2img.picture(url)

    with Image.open(io.BytesIO(data)) as picture:
        alpha = picture.getchannel("A")
        assert (alpha.getpixel((0, 0)), alpha.getpixel((512, 512))) == (0, 255)
    assert read_mark(data) == expected_mark("a fox", 0)


async def test_effects_draw_different_images_with_same_mark(reve2img: Reve2Img) -> None:
    pictures = []
    for steps in ([], [{"process": "effect", "effect_name": "sepia"}], [{"process": "effect", "effect_name": "noir"}]):
        await reve2img.send("POST", "/api/v1/generate", {"prompt": "a fox", "postprocessing": steps})
        (url,) = reve2img.server.picture_urls(reve2img.server.finish())
        pictures.append(await reve2img.picture(url))

    assert len(set(pictures)) == 3
    assert {read_mark(each) for each in pictures} == {expected_mark("a fox", 0)}
