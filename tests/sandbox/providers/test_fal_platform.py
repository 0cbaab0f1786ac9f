"""The platform host of the fal fake: past requests, charges and webhooks."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sandbox.providers.fal import FalServer
from tests.sandbox.providers.clock import Clock
from tests.sandbox.providers.fal_support import FLUX, KEY, PROMPT, submit
from tests.sandbox.providers.raw_receiver import RawReceiver, Received

BY_ENDPOINT = "/v1/models/requests/by-endpoint"
ADMIN = {"Authorization": "Key sandbox-admin-key"}


@pytest.fixture
async def platform(fal: FalServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=fal.platform_url, headers=KEY) as client:
        yield client


async def listed(platform: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    """Return a page of requests with payloads."""
    params = {"endpoint_id": FLUX, "expand": "payloads", **query}
    reply = await platform.get(BY_ENDPOINT, params=params)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


async def test_lost_submit_is_found_by_its_input(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient
) -> None:
    fal.faults.add("submit", "reset_after")
    body = {"prompt": PROMPT, "resolution": "2k"}
    with pytest.raises(httpx.TransportError):
        await fal_client.post(f"/{FLUX}", json=body)
    running = await listed(platform)
    job = fal.finish()
    (item,) = (await listed(platform))["items"]

    assert running == {"items": [], "next_cursor": None, "has_more": False}
    assert (item["request_id"], item["json_input"], item["status_code"]) == (job.id, body, 200)
    assert item["json_output"]["images"][0]["url"] == fal.picture_urls(job)[0]
    assert item["sent_at"] == "2027-01-15T08:00:00Z"
    fal.lists_running = True
    await submit(fal_client)
    assert [each["status_code"] for each in (await listed(platform))["items"]] == [None, 200]


@pytest.mark.parametrize(
    ("case", "ids", "payloads"),
    [("history_empty", 0, 0), ("history_twin", 2, 2), ("history_without_payloads", 1, 0)],
)
async def test_history_case_hides_or_doubles_the_match(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient, case: str, ids: int, payloads: int
) -> None:
    await submit(fal_client)
    fal.finish()
    fal.faults.play(case)
    items = (await listed(platform))["items"]

    assert len({each["request_id"] for each in items}) == ids
    assert sum("json_input" in each for each in items) == payloads
    assert len((await listed(platform))["items"]) == 1


async def test_history_is_paged_newest_first_between_start_and_end(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient, clock: Clock
) -> None:
    for _ in range(5):
        await submit(fal_client)
        fal.finish()
        clock.seconds += 60
    first = await listed(platform, limit=2)
    second = await listed(platform, limit=2, cursor=first["next_cursor"])
    last = await listed(platform, limit=2, cursor=second["next_cursor"])
    window = await listed(platform, start="2027-01-15T08:01:00Z", end="2027-01-15T08:03:00Z")

    ids = [job.id for job in fal.jobs]
    assert [each["request_id"] for page in (first, second, last) for each in page["items"]] == ids[::-1]
    assert [page["has_more"] for page in (first, second, last)] == [True, True, False]
    assert [each["request_id"] for each in window["items"]] == ids[1:3][::-1]


async def test_history_is_filtered_by_status_account_and_endpoint(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient
) -> None:
    for case in (None, "refused_input", "startup_timeout"):
        if case is not None:
            fal.faults.play(case)
        await submit(fal_client)
        fal.finish()
    codes = {
        status: [each["status_code"] for each in (await listed(platform, status=status))["items"]]
        for status in ("success", "user_error", "error")
    }
    other = await platform.get(BY_ENDPOINT, params={"endpoint_id": FLUX}, headers={"Authorization": "Key key-b"})

    assert codes == {"success": [200], "user_error": [422], "error": [504]}
    assert other.json()["items"] == []
    assert (await listed(platform, endpoint_id="fal-ai/flux-2-pro"))["items"] == []


async def test_request_that_stores_no_payloads_lists_none(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient
) -> None:
    await submit(fal_client, headers={"X-Fal-Store-IO": "0"})
    fal.finish()
    (item,) = (await listed(platform))["items"]

    assert "json_input" not in item


@pytest.mark.parametrize(
    "query",
    [
        {"endpoint_id": "unknown"},
        {"start": "yesterday"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "\u0662"},
        {"cursor": "%%%"},
        {"cursor": "-"},
    ],
)
async def test_invalid_history_query_is_400(platform: httpx.AsyncClient, query: dict[str, str]) -> None:
    reply = await platform.get(BY_ENDPOINT, params={"endpoint_id": FLUX, **query})

    assert (reply.status_code, reply.json()["error"]["type"]) == (400, "validation_error")


async def test_billing_events_need_an_admin_key_and_list_successes(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient
) -> None:
    good = await submit(fal_client, "fal-ai/nano-banana-pro", num_images=2)
    fal.finish()
    fal.faults.play("refused_input")
    bad = await submit(fal_client)
    fal.finish()
    path = "/v1/models/billing-events"
    refused = await platform.get(path, params={"request_id": good["request_id"]})
    pages = [await platform.get(path, params={"request_id": each["request_id"]}, headers=ADMIN) for each in (good, bad)]

    assert refused.status_code == 403
    (event,) = pages[0].json()["billing_events"]
    assert (event["output_units"], event["unit_price"], event["cost_total"]) == (2, 0.15, 0.3)
    assert event["cost_estimate_nano_usd"] == 300_000_000
    assert pages[1].json()["billing_events"] == []


async def test_platform_lists_models_prices_and_ip_ranges(platform: httpx.AsyncClient) -> None:
    models = (await platform.get("/v1/models")).json()["models"]
    prices = (await platform.get("/v1/models/pricing", params={"endpoint_id": FLUX})).json()["prices"]
    meta = await platform.get("/v1/meta", headers={"Authorization": ""})

    assert FLUX in {each["endpoint_id"] for each in models}
    assert [(each["endpoint_id"], each["unit_price"]) for each in prices] == [(FLUX, 0.048)]
    assert meta.json() == {"webhook_ip_ranges": ["127.0.0.1/32"]}


async def is_signed(platform: httpx.AsyncClient, received: Received) -> bool:
    """Return whether a listed key signed a webhook, as fal documents it."""
    keys = (await platform.get("/.well-known/jwks.json", headers={"Authorization": ""})).json()["keys"]
    names = ("request-id", "user-id", "timestamp")
    parts = [received.headers[f"x-fal-webhook-{name}"] for name in names]
    message = "\n".join((*parts, hashlib.sha256(received.raw).hexdigest())).encode()
    signature = bytes.fromhex(received.headers["x-fal-webhook-signature"])
    for key in keys:
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
        try:
            public.verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


async def webhook(
    fal: FalServer, client: httpx.AsyncClient, receiver: RawReceiver, *, count: int = 1
) -> list[Received]:
    """Submit with a webhook, complete the job and return the deliveries."""
    await submit(client, webhook=receiver.url)
    fal.finish()
    await fal.wait_for(lambda: len(fal.webhooks.sent) >= count)
    return receiver.received


async def test_webhook_is_signed_and_has_the_result(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient, raw_receiver: RawReceiver, clock: Clock
) -> None:
    (received,) = await webhook(fal, fal_client, raw_receiver)
    job = fal.jobs[0]
    result = await fal_client.get(f"/blackforestlabs/flux-3/requests/{job.id}")

    body = json.loads(received.raw)
    assert (body["request_id"], body["status"], body["payload"]) == (job.id, "OK", result.json())
    assert body["gateway_request_id"]
    assert received.headers["x-fal-webhook-timestamp"] == str(int(clock.seconds))
    assert await is_signed(platform, received)


async def test_webhook_with_bad_signature_is_signed_by_no_listed_key(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient, raw_receiver: RawReceiver
) -> None:
    fal.faults.play("bad_signature")
    (received,) = await webhook(fal, fal_client, raw_receiver)

    assert not await is_signed(platform, received)


async def test_webhook_with_old_timestamp_is_signed_properly(
    fal: FalServer, fal_client: httpx.AsyncClient, platform: httpx.AsyncClient, raw_receiver: RawReceiver, clock: Clock
) -> None:
    fal.faults.play("old_timestamp")
    (received,) = await webhook(fal, fal_client, raw_receiver)

    assert clock.seconds - int(received.headers["x-fal-webhook-timestamp"]) > 300
    assert await is_signed(platform, received)


async def test_webhook_is_delivered_twice_with_one_body(
    fal: FalServer, fal_client: httpx.AsyncClient, raw_receiver: RawReceiver
) -> None:
    fal.faults.add("webhook", "twice")
    first, second = await webhook(fal, fal_client, raw_receiver, count=2)

    assert first.raw == second.raw


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("webhook_error", ("ERROR", None, "Invalid status code: 500", False)),
        ("payload_null", ("OK", None, None, True)),
    ],
)
async def test_webhook_case_changes_its_body(
    fal: FalServer, fal_client: httpx.AsyncClient, raw_receiver: RawReceiver, case: str, expected: tuple[Any, ...]
) -> None:
    fal.faults.play(case)
    (received,) = await webhook(fal, fal_client, raw_receiver)

    body = json.loads(received.raw)
    assert (body["status"], body["payload"], body.get("error"), "payload_error" in body) == expected


async def test_webhook_of_failed_request_has_its_error_body(
    fal: FalServer, fal_client: httpx.AsyncClient, raw_receiver: RawReceiver
) -> None:
    fal.faults.play("refused_input")
    (received,) = await webhook(fal, fal_client, raw_receiver)

    body = json.loads(received.raw)
    assert (body["status"], body["error"]) == ("ERROR", "Invalid status code: 422")
    assert body["payload"]["detail"][0]["input"] == PROMPT


@pytest.mark.parametrize(("statuses", "attempts"), [([500, 404, 200], 3), ([302], 1), ([], 1)])
async def test_refused_webhook_is_repeated_unless_redirected(
    fal: FalServer, fal_client: httpx.AsyncClient, raw_receiver: RawReceiver, statuses: list[int], attempts: int
) -> None:
    fal.webhooks.retry_delays = (0.0,) * 10
    raw_receiver.statuses = statuses
    await webhook(fal, fal_client, raw_receiver, count=attempts)
    await fal.wait_for(lambda: not fal.webhooks.pending)

    assert len(raw_receiver.received) == attempts


async def test_late_webhook_is_released_by_the_control_route(
    fal: FalServer, fal_client: httpx.AsyncClient, raw_receiver: RawReceiver
) -> None:
    fal.faults.add("webhook", "late")
    await submit(fal_client, webhook=raw_receiver.url)
    fal.finish()
    before = len(raw_receiver.received)
    released = await fal_client.post("/sandbox/webhooks/release")
    await fal.wait_for(lambda: fal.webhooks.sent)

    assert (before, released.status_code, len(raw_receiver.received)) == (0, 204, 1)


async def test_lost_webhook_never_arrives(
    fal: FalServer, fal_client: httpx.AsyncClient, raw_receiver: RawReceiver
) -> None:
    fal.faults.add("webhook", "lost")
    await submit(fal_client, webhook=raw_receiver.url)
    fal.finish()

    assert (fal.webhooks.pending, raw_receiver.received) == (0, [])


async def test_early_webhook_arrives_before_the_submit_reply(
    fal: FalServer, fal_client: httpx.AsyncClient, raw_receiver: RawReceiver
) -> None:
    fal.faults.add("webhook", "early")
    await submit(fal_client, webhook=raw_receiver.url)

    assert len(raw_receiver.received) == 1
