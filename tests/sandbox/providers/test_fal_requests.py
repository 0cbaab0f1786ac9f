"""Inputs, headers and lifetimes of the fal fake's requests."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from sandbox.providers import Latency, State, derives_from
from sandbox.providers.fal import FalServer
from tests.sandbox.providers.clock import Clock
from tests.sandbox.providers.fal_support import EDIT, FLUX, KEY, PROMPT, submit
from tests.sandbox.providers.support import ImageServer, photo

QWEN = "fal-ai/qwen-image-2/pro/text-to-image"


@pytest.mark.parametrize(
    ("endpoint", "fields", "location", "type_"),
    [
        (FLUX, {"prompt": None}, ["body", "prompt"], "missing"),
        (FLUX, {"prompt": ""}, ["body", "prompt"], "string_too_short"),
        (FLUX, {"prompt": 5}, ["body", "prompt"], "string_type"),
        (FLUX, {"prompt": "x" * 15_001}, ["body", "prompt"], "string_too_long"),
        (FLUX, {"resolution": "1K"}, ["body", "resolution"], "literal_error"),
        (FLUX, {"aspect_ratio": ["1:1"]}, ["body", "aspect_ratio"], "literal_error"),
        (FLUX, {"sync_mode": "yes"}, ["body", "sync_mode"], "bool_type"),
        (EDIT, {}, ["body", "image_urls"], "missing"),
        (EDIT, {"image_urls": "https://a.example/a"}, ["body", "image_urls"], "list_type"),
        (EDIT, {"image_urls": []}, ["body", "image_urls"], "too_short"),
        (EDIT, {"image_urls": ["a"] * 11}, ["body", "image_urls"], "too_long"),
        (EDIT, {"image_urls": ["a", 1]}, ["body", "image_urls", 1], "string_type"),
        (QWEN, {"seed": "7"}, ["body", "seed"], "int_type"),
        (QWEN, {"seed": -1}, ["body", "seed"], "greater_than_equal"),
        (QWEN, {"num_images": 5}, ["body", "num_images"], "less_than_equal"),
        (QWEN, {"negative_prompt": "x" * 501}, ["body", "negative_prompt"], "string_too_long"),
        (QWEN, {"image_size": "huge"}, ["body", "image_size"], "literal_error"),
        (QWEN, {"image_size": {"width": 512}}, ["body", "image_size", "height"], "missing"),
        (QWEN, {"image_size": {"width": 512, "height": 9999}}, ["body", "image_size"], "less_than_equal"),
    ],
)
async def test_invalid_input_is_422_in_the_result(
    fal: FalServer,
    fal_client: httpx.AsyncClient,
    endpoint: str,
    fields: dict[str, Any],
    location: list[Any],
    type_: str,
) -> None:
    made = await submit(fal_client, endpoint, **fields)
    fal.finish()
    status, result = await fal_client.get(made["status_url"]), await fal_client.get(made["response_url"])

    assert (status.status_code, status.json()["status"], result.status_code) == (200, "COMPLETED", 422)
    assert [(each["loc"], each["type"]) for each in result.json()["detail"]] == [(location, type_)]
    assert fal.billed == []


async def test_prompt_of_odd_characters_is_drawn(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    reply = await fal_client.post(f"/{FLUX}", content=rb'{"prompt": "\ud800 \u0000 \u202e"}')
    (url,) = fal.picture_urls(fal.finish())

    assert (await fal_client.get(url)).status_code == 200
    assert (await fal_client.get(reply.json()["response_url"])).json()["prompt"] == "\ud800 \0 \u202e"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff"])
async def test_body_without_an_object_is_400(fal: FalServer, fal_client: httpx.AsyncClient, body: bytes) -> None:
    reply = await fal_client.post(f"/{FLUX}", content=body)

    assert (reply.status_code, reply.json()["error_type"]) == (400, "bad_request")
    assert fal.jobs == []


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/a.png",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "data:image/png;base64,",
        "data:image/png;base64,@@@",
        "data:image/png,plain",
        "data:image/png;base64,bm8gcGljdHVyZQ==",
        "",
        "http://[::1",
    ],
)
async def test_unusable_input_is_a_file_download_error_with_its_url(
    fal: FalServer, fal_client: httpx.AsyncClient, image_server: ImageServer, url: str
) -> None:
    good = image_server.put("a", photo())
    made = await submit(fal_client, EDIT, image_urls=[good, url] if url else [good, image_server.at("missing")])
    await fal.finish_and_wait()
    result = await fal_client.get(made["response_url"])

    (error,) = result.json()["detail"]
    assert (result.status_code, error["type"], error["loc"]) == (422, "file_download_error", ["body", "image_urls", 1])
    assert error["input"] == (url or image_server.at("missing"))
    assert fal.billed == []


async def test_mask_must_have_the_size_of_the_image(
    fal: FalServer, fal_client: httpx.AsyncClient, image_server: ImageServer
) -> None:
    source, other = image_server.put("a", photo()), image_server.put("b", photo(size=(10, 10)))
    results = []
    for mask in (source, other, image_server.at("missing")):
        made = await submit(fal_client, "openai/gpt-image-2/edit", image_urls=[source], mask_url=mask)
        await fal.finish_and_wait()
        results.append((await fal_client.get(made["response_url"])).status_code)

    assert results == [200, 422, 422]


@pytest.mark.parametrize(("alpha", "is_changed"), [(0, True), (255, False)])
async def test_edit_keeps_the_opaque_part_of_a_mask(
    fal: FalServer,
    fal_client: httpx.AsyncClient,
    image_server: ImageServer,
    alpha: int,
    is_changed: bool,
) -> None:
    source, mask = photo(size=(256, 256)), io.BytesIO()
    Image.new("RGBA", (256, 256), (0, 0, 0, alpha)).save(mask, "PNG")
    urls: dict[str, Any] = {
        "image_urls": [image_server.put("a", source)],
        "mask_url": image_server.put("m", mask.getvalue()),
    }
    await submit(fal_client, "openai/gpt-image-2/edit", **urls)
    job = await fal.finish_and_wait()
    picture = (await fal_client.get(fal.picture_urls(job)[0])).content

    assert derives_from(picture, source) is is_changed


async def test_unknown_fields_are_ignored_but_recorded(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    made = await submit(fal_client, seed=7, colour="red")

    assert fal.requests_by_id[made["request_id"]].unknown_fields == ("seed", "colour")


@pytest.mark.parametrize("key", ["", "Key wrong", "Bearer key-a", "Key", "key-a"])
async def test_wrong_key_is_401_everywhere(fal: FalServer, fal_client: httpx.AsyncClient, key: str) -> None:
    made = await submit(fal_client)
    headers = {"Authorization": key}
    replies = [
        await fal_client.post(f"/{FLUX}", json={"prompt": PROMPT}, headers=headers),
        await fal_client.get(made["status_url"], headers=headers),
        await fal_client.get(made["response_url"], headers=headers),
        await fal_client.put(made["cancel_url"], headers=headers),
        await fal_client.get(f"{fal.platform_url}/v1/models/billing-events", headers=headers),
    ]

    assert {each.status_code for each in replies} == {401}


async def test_request_of_another_account_or_app_is_not_found(fal_client: httpx.AsyncClient) -> None:
    made = await submit(fal_client)
    foreign = await fal_client.get(made["status_url"], headers={"Authorization": "Key key-b"})
    elsewhere = await fal_client.get(f"/fal-ai/flux-2-pro/requests/{made['request_id']}/status")
    unknown = await fal_client.get("/blackforestlabs/flux-3/requests/unknown")

    assert [(each.status_code, each.json()) for each in (foreign, elsewhere, unknown)] == [
        (404, {"status": "NOT_FOUND"})
    ] * 3


async def test_request_that_starts_too_late_ends_with_504(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    made = await submit(fal_client, headers={"X-Fal-Request-Timeout": "0.01"})
    await fal.wait_for(lambda: fal.jobs[0].terminal)
    result = await fal_client.get(made["response_url"])

    assert (result.status_code, result.headers["x-fal-request-timeout-type"]) == (504, "user")
    assert (result.json()["error_type"], fal.billed) == ("request_timeout", [])


async def test_started_request_outlasts_its_start_timeout(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    await submit(fal_client, headers={"X-Fal-Request-Timeout": "60"})
    job = fal.advance()
    fal._give_up_start(job)

    assert job.state is State.IN_PROGRESS


async def test_queue_above_its_given_length_is_429(fal_client: httpx.AsyncClient) -> None:
    await submit(fal_client)
    refused = await fal_client.post(f"/{FLUX}?fal_max_queue_length=1", json={"prompt": PROMPT})
    accepted = await fal_client.post(f"/{FLUX}?fal_max_queue_length=2", json={"prompt": PROMPT})

    assert (refused.status_code, accepted.status_code) == (429, 200)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-Fal-Request-Timeout": "soon"}, ""),
        ({"X-Fal-Request-Timeout": "-1"}, ""),
        ({"X-Fal-Request-Timeout": "nan"}, ""),
        ({"X-Fal-Object-Lifecycle-Preference": "{"}, ""),
        ({"X-Fal-Object-Lifecycle-Preference": "[]"}, ""),
        ({"X-Fal-Object-Lifecycle-Preference": '{"expiration_duration_seconds": 0}'}, ""),
        ({}, "?fal_max_queue_length=many"),
        ({}, "?fal_webhook=http://elsewhere.example/hook"),
    ],
)
async def test_invalid_platform_option_is_400(
    fal: FalServer, fal_client: httpx.AsyncClient, headers: dict[str, str], query: str
) -> None:
    reply = await fal_client.post(f"/{FLUX}{query}", json={"prompt": PROMPT}, headers=headers)

    assert (reply.status_code, fal.jobs) == (400, [])


async def test_picture_is_gone_after_its_lifetime(fal: FalServer, fal_client: httpx.AsyncClient, clock: Clock) -> None:
    lifetime = {"X-Fal-Object-Lifecycle-Preference": '{"expiration_duration_seconds": 3600}'}
    await submit(fal_client, headers=lifetime)
    await submit(fal_client)
    short, kept = (fal.picture_urls(fal.finish(job))[0] for job in fal.jobs)
    clock.seconds += 3599
    before = (await fal_client.get(short)).status_code
    clock.seconds += 1
    after = [(await fal_client.get(url)).status_code for url in (short, kept)]

    assert (before, after) == (200, [404, 200])


async def test_picture_cases_hit_n_downloads(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    await submit(fal_client)
    (url,) = fal.picture_urls(fal.finish())
    fal.faults.play("picture_gone", times=2)
    statuses = [(await fal_client.get(url)).status_code for _ in range(3)]
    fal.faults.add("picture", "html")
    page = await fal_client.get(url)

    assert statuses == [404, 404, 200]
    assert page.headers["content-type"].startswith("text/html")
    assert (await fal_client.get(f"{fal.media_url}/files/../../etc/passwd")).status_code == 404


async def test_request_with_timers_completes(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    fal.latency = Latency(queue=0.0, work=0.0)
    await submit(fal_client)

    await fal.wait_for(lambda: fal.jobs[0].state is State.COMPLETED)


async def test_key_is_in_no_reply_of_the_control_routes(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    await submit(fal_client)
    fal.finish()
    listed = (await fal_client.get("/sandbox/jobs", headers={"Authorization": ""})).json()

    assert listed["billed"] == [{"job_id": fal.jobs[0].id, "prompt": PROMPT, "cost": "0.048"}]
    assert KEY["Authorization"].split()[1] not in str(listed)
