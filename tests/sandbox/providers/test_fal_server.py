"""The queue of the fal fake follows fal's documents."""

import base64
import io
from decimal import Decimal
from typing import Any

import httpx
import pytest
from PIL import Image

from sandbox.providers import State, derives_from, expected_mark, read_mark
from sandbox.providers.fal import FalServer
from sandbox.providers.fal.endpoints import ENDPOINTS
from sandbox.providers.provenance import manifest, read_manifest
from tests.sandbox.providers.fal_support import EDIT, FLUX, PROMPT, submit
from tests.sandbox.providers.support import ImageServer, photo


async def test_good_request_counts_positions_down_and_completes(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    made = await submit(fal_client)
    address = f"{fal.url}/blackforestlabs/flux-3/requests/{made['request_id']}"
    assert made == {
        "request_id": fal.jobs[0].id,
        "response_url": address,
        "status_url": f"{address}/status",
        "cancel_url": f"{address}/cancel",
        "queue_position": 2,
    }
    queued = [await fal_client.get(made["status_url"]) for _ in range(4)]
    early = await fal_client.get(made["response_url"])
    fal.advance()
    running = await fal_client.get(made["status_url"], params={"logs": 1})
    fal.advance()
    done = await fal_client.get(made["status_url"])
    result = await fal_client.get(made["response_url"])

    assert [(each.status_code, each.json()["queue_position"]) for each in queued] == [
        (202, 2),
        (202, 1),
        (202, 0),
        (202, 0),
    ]
    assert (early.status_code, running.status_code, running.json()["status"]) == (400, 202, "IN_PROGRESS")
    assert running.json()["logs"]
    assert (done.status_code, done.json()["status"]) == (200, "COMPLETED")
    assert "error" not in done.json()
    assert done.json()["metrics"] == {"inference_time": 0.0}
    assert result.status_code == 200
    assert result.headers["x-fal-billable-units"] == "1"
    (image,) = result.json()["images"]
    assert (image["content_type"], image["width"], image["height"]) == ("image/png", 1024, 1024)
    assert (await fal_client.get(made["response_url"] + "/response")).json() == result.json()


async def test_picture_needs_no_key_and_keeps_its_provenance(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    made = await submit(fal_client)
    job = fal.finish()
    url = (await fal_client.get(made["response_url"])).json()["images"][0]["url"]
    async with httpx.AsyncClient() as plain:
        first, second = await plain.get(url), await plain.get(url)

    assert not url.startswith(fal.url)
    assert first.content == second.content
    assert read_manifest(first.content) == manifest(f"{job.id}/0")
    assert b"caBX" in first.content
    assert read_mark(first.content) == expected_mark(PROMPT, 0)


@pytest.mark.parametrize(
    ("endpoint", "fields", "size", "usd"),
    [
        (FLUX, {"aspect_ratio": "16:9", "resolution": "2k"}, (2736, 1536), "0.10"),
        (FLUX, {"resolution": "768sq"}, (768, 768), "0.041"),
        ("fal-ai/flux-2-pro", {"image_size": {"width": 2048, "height": 1024}, "seed": 3}, (2048, 1024), "0.045"),
        ("fal-ai/nano-banana-pro", {"num_images": 2, "aspect_ratio": "2:3"}, (832, 1248), "0.30"),
        ("bytedance/seedream/v5/pro/text-to-image", {"image_size": "portrait_4_3"}, (768, 1024), "0.0675"),
        ("openai/gpt-image-2", {"image_size": "square"}, (512, 512), "0.211"),
        ("openai/gpt-image-2", {"quality": "low"}, (1024, 768), "0.006"),
        ("fal-ai/qwen-image-2/pro/text-to-image", {"negative_prompt": "fog"}, (1024, 1024), "0.075"),
    ],
)
async def test_each_endpoint_has_its_sizes_and_price(
    fal: FalServer,
    fal_client: httpx.AsyncClient,
    endpoint: str,
    fields: dict[str, Any],
    size: tuple[int, int],
    usd: str,
) -> None:
    made = await submit(fal_client, endpoint, **fields)
    fal.finish()
    images = (await fal_client.get(made["response_url"])).json()["images"]
    with Image.open(io.BytesIO((await fal_client.get(images[0]["url"])).content)) as picture:
        assert picture.size == size

    assert {(each["width"], each["height"]) for each in images} == {size}
    assert [charge.cost for charge in fal.billed] == [Decimal(usd)]


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS.values() if each.is_edit], ids=lambda each: each.id)
async def test_edit_derives_from_data_uri(fal: FalServer, fal_client: httpx.AsyncClient, endpoint: Any) -> None:
    source = photo("rings", (700, 500))
    uri = "data:image/png;base64," + base64.b64encode(source).decode()
    made = await submit(fal_client, endpoint.id, image_urls=[uri])
    await fal.finish_and_wait()
    url = (await fal_client.get(made["response_url"])).json()["images"][0]["url"]

    picture = (await fal_client.get(url)).content

    assert derives_from(picture, source)
    assert not derives_from(picture, photo("stripes"))
    assert read_manifest(picture)


async def test_edit_fetches_its_urls_without_the_key(
    fal: FalServer, fal_client: httpx.AsyncClient, image_server: ImageServer
) -> None:
    source = photo("stripes")
    made = await submit(
        fal_client, EDIT, image_urls=[image_server.put("a", source), image_server.put("b", photo("rings"))]
    )
    await fal.finish_and_wait()
    url = (await fal_client.get(made["response_url"])).json()["images"][0]["url"]

    assert image_server.requested == ["a", "b"]
    assert derives_from((await fal_client.get(url)).content, source)


async def test_edit_uses_last_ten_inputs_of_seedream(
    fal: FalServer, fal_client: httpx.AsyncClient, image_server: ImageServer
) -> None:
    urls = [image_server.put(f"{at:02}", photo(size=(40, 40))) for at in range(12)]
    await submit(fal_client, "bytedance/seedream/v5/pro/edit", image_urls=urls)
    await fal.finish_and_wait()

    assert sorted(image_server.requested) == [f"{at:02}" for at in range(2, 12)]


async def test_sync_mode_returns_data_uri_and_stores_nothing(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    made = await submit(fal_client, sync_mode=True)
    job = fal.finish()
    (image,) = (await fal_client.get(made["response_url"])).json()["images"]

    data = base64.b64decode(image["url"].removeprefix("data:image/png;base64,"))
    assert read_mark(data) == expected_mark(PROMPT, 0)
    assert read_manifest(data)
    assert (await fal_client.get(fal.picture_urls(job)[0])).status_code == 404


@pytest.mark.parametrize(
    ("case", "status", "type_"),
    [
        ("refused_input", 422, "content_policy_violation"),
        ("refused_input_text", 422, "content_policy_violation"),
        ("bad_input", 422, "file_download_error"),
        ("file_too_large", 422, "file_too_large"),
        ("image_too_large", 422, "image_too_large"),
        ("image_too_small", 422, "image_too_small"),
        ("feature_not_supported", 422, "feature_not_supported"),
        ("generation_timeout", 504, "generation_timeout"),
        ("downstream_error", 502, "downstream_service_error"),
        ("internal_error", 500, "internal_server_error"),
        ("startup_timeout", 504, "startup_timeout"),
        ("request_timeout", 504, "request_timeout"),
        ("runner_disconnected", 500, "runner_disconnected"),
        ("runner_scheduling_failure", 500, "runner_scheduling_failure"),
    ],
)
async def test_failed_request_is_completed_with_error_type_and_unbilled(
    fal: FalServer, fal_client: httpx.AsyncClient, case: str, status: int, type_: str
) -> None:
    fal.faults.play(case)
    made = await submit(fal_client)
    fal.finish()
    done, result = await fal_client.get(made["status_url"]), await fal_client.get(made["response_url"])

    assert (done.status_code, done.json()["status"], done.json()["error_type"]) == (200, "COMPLETED", type_)
    assert (result.status_code, result.headers["x-fal-error-type"]) == (status, type_)
    detail = result.json()["detail"]
    assert type_ in (result.json().get("error_type"), detail[0]["type"] if isinstance(detail, list) else type_)
    assert fal.billed == []


async def test_content_refusal_quotes_the_prompt(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    fal.faults.play("refused_input")
    made = await submit(fal_client)
    fal.finish()
    (error,) = (await fal_client.get(made["response_url"])).json()["detail"]

    assert (error["loc"], error["type"], error["input"]) == (["body", "prompt"], "content_policy_violation", PROMPT)
    assert error["url"].endswith("content_policy_violation")


async def test_refused_output_is_a_flagged_black_picture(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    fal.faults.play("refused_output")
    made = await submit(fal_client)
    fal.finish()
    result = (await fal_client.get(made["response_url"])).json()
    with Image.open(io.BytesIO((await fal_client.get(result["images"][0]["url"])).content)) as picture:
        extrema = picture.convert("L").getextrema()

    assert (result["has_nsfw_concepts"], extrema) == ([True], (0, 0))


async def test_empty_result_has_no_images_and_no_charge(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    fal.faults.play("nothing")
    made = await submit(fal_client)
    fal.finish()

    assert (await fal_client.get(made["response_url"])).json()["images"] == []
    assert fal.billed == []


@pytest.mark.parametrize(
    ("case", "status", "detail"),
    [
        ("account_empty", 403, "User is locked. Reason: Exhausted balance. "),
        ("account_top_up", 403, "User is locked. Reason: TOP_UP. "),
        ("account_locked", 403, "User is locked. Reason: Admin lock. "),
        ("key_refused", 401, "Authentication is required"),
        ("rate_limited", 429, "Too many concurrent requests."),
        ("overloaded", 504, "The runner did not start in time."),
        ("server_error", 500, "The runner could not be reached."),
        ("model_retired", 404, "Application not found"),
        ("bad_request", 400, "The request could not be read."),
    ],
)
async def test_refused_submit_makes_no_request_for_n_calls(
    fal: FalServer, fal_client: httpx.AsyncClient, case: str, status: int, detail: str
) -> None:
    put = {"endpoint": "submit", "kind": "case", "case": case, "times": 2}
    assert (await fal_client.put("/sandbox/faults", json=put)).status_code == 200
    replies = [await fal_client.post(f"/{FLUX}", json={"prompt": PROMPT}) for _ in range(3)]

    assert [each.status_code for each in replies] == [status, status, 200]
    assert replies[0].json()["detail"].startswith(detail)
    assert len(fal.jobs) == 1


async def test_rate_limited_names_its_type(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    fal.faults.play("rate_limited")
    reply = await fal_client.post(f"/{FLUX}", json={"prompt": PROMPT})

    assert (reply.headers["x-fal-error-type"], reply.headers["retry-after"]) == ("concurrent_requests_limit", "3")


async def test_exhausted_balance_locks_submits_but_not_status(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    fal.store.balance = Decimal("0.05")
    made = await submit(fal_client)
    fal.finish()
    refused = await fal_client.post(f"/{FLUX}", json={"prompt": PROMPT})

    assert refused.status_code == 403
    assert refused.json()["detail"].startswith("User is locked. Reason: Exhausted balance.")
    assert (await fal_client.get(made["status_url"])).status_code == 200
    assert fal.store.balance == Decimal("0.002")


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_leaves_a_billed_request(fal: FalServer, fal_client: httpx.AsyncClient, case: str) -> None:
    fal.faults.play(case)
    with pytest.raises(httpx.TransportError):
        await fal_client.post(f"/{FLUX}", json={"prompt": PROMPT})
    job = fal.finish()

    assert [charge.job_id for charge in fal.billed] == [job.id]


async def test_cancel_has_its_four_replies(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    queued, running, ended = [await submit(fal_client) for _ in range(3)]
    fal.advance(fal.jobs[1])
    fal.finish(fal.jobs[2])
    replies = [await fal_client.put(each["cancel_url"]) for each in (queued, running, ended)]
    unknown = await fal_client.put(queued["cancel_url"].replace(queued["request_id"], "unknown"))

    assert [(each.status_code, each.json()) for each in (*replies, unknown)] == [
        (200, {"status": "OK"}),
        (202, {"status": "CANCELLATION_REQUESTED"}),
        (400, {"status": "ALREADY_COMPLETED"}),
        (404, {"status": "NOT_FOUND"}),
    ]
    assert [job.state for job in fal.jobs] == [State.CANCELLED, State.IN_PROGRESS, State.COMPLETED]
    result = await fal_client.get(queued["response_url"])
    assert (result.status_code, result.json()["error_type"]) == (499, "client_cancelled")
    fal.forgets_cancelled = True
    assert (await fal_client.get(queued["status_url"])).json() == {"status": "NOT_FOUND"}
    assert (await fal_client.get(ended["status_url"])).json()["status"] == "COMPLETED"


async def test_running_model_that_obeys_a_cancel_is_unbilled(fal: FalServer, fal_client: httpx.AsyncClient) -> None:
    made = await submit(fal_client)
    fal.advance()
    fal.faults.play("cancel_obeyed")
    reply = await fal_client.put(made["cancel_url"])

    assert (reply.status_code, fal.jobs[0].state, fal.billed) == (202, State.CANCELLED, [])
    assert (await fal_client.get(made["status_url"])).json()["error_type"] == "client_cancelled"
