"""The fake of Black Forest Labs follows its documents."""

import hashlib
import hmac
import io
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from PIL import Image

from sandbox.providers import Latency, State, derives_from, expected_mark, read_mark
from sandbox.providers.bfl import BflServer
from sandbox.providers.provenance import manifest, read_manifest
from tests.sandbox.providers.bfl_support import FLUX_2, FLUX_3, PROMPT, encoded, submit
from tests.sandbox.providers.clock import Clock
from tests.sandbox.providers.raw_receiver import RawReceiver
from tests.sandbox.providers.support import ImageServer, photo


async def test_good_task_passes_its_states_and_names_its_cost(bfl: BflServer, bfl_client: httpx.AsyncClient) -> None:
    made = await submit(bfl_client)
    url = made["polling_url"]
    assert made == {
        "id": bfl.jobs[0].id,
        "polling_url": f"{bfl.polling_url}/v1/get_result?id={bfl.jobs[0].id}",
        "cost": 4.8,
        "input_mp": 0.0,
        "output_mp": 1.05,
    }
    pending = (await bfl_client.get(url)).json()
    bfl.advance()
    working = [(await bfl_client.get(url)).json() for _ in range(2)]
    bfl.advance()
    ready = await bfl_client.get(url)

    assert not url.startswith(bfl.url)
    assert [each["status"] for each in (pending, *working)] == ["Pending", "Reasoning", "Generating"]
    assert [each["result"] for each in (pending, *working)] == [None] * 3
    body = ready.json()
    assert (ready.status_code, body["status"], body["cost"]) == (200, "Ready", 4.8)
    assert body["result"]["prompt"].startswith(PROMPT)
    assert [(charge.job_id, charge.cost) for charge in bfl.billed] == [(made["id"], Decimal("0.048"))]


async def test_flux_2_generates_without_reasoning(bfl: BflServer, bfl_client: httpx.AsyncClient) -> None:
    made = await submit(bfl_client, FLUX_2)
    bfl.advance()

    assert (await bfl_client.get(made["polling_url"])).json()["status"] == "Generating"


async def test_api_host_does_not_know_a_task_with_polling_url(bfl: BflServer, bfl_client: httpx.AsyncClient) -> None:
    made = await submit(bfl_client)
    reply = await bfl_client.get("/v1/get_result", params={"id": made["id"]})
    unknown = await bfl_client.get(f"{bfl.polling_url}/v1/get_result?id=unknown")
    foreign = await bfl_client.get(made["polling_url"], headers={"x-key": "key-b"})

    assert {each.json()["status"] for each in (reply, unknown, foreign)} == {"Task not found"}


@pytest.mark.parametrize(("path", "seconds", "marker"), [(FLUX_3, 3600, b"\xff\xeb"), (FLUX_2, 600, b"caBX")])
async def test_sample_needs_no_key_keeps_provenance_and_expires(
    bfl: BflServer, bfl_client: httpx.AsyncClient, clock: Clock, path: str, seconds: int, marker: bytes
) -> None:
    made = await submit(bfl_client, path, **({"output_format": "png"} if path == FLUX_2 else {}))
    job = bfl.finish()
    url = bfl.picture_urls(job)[0]
    async with httpx.AsyncClient() as plain:
        clock.seconds += seconds - 1
        first, second = await plain.get(url), await plain.get(url)
        clock.seconds += 1
        late = await plain.get(url)

    assert url.startswith(bfl.delivery_url)
    assert first.content == second.content
    assert (read_manifest(first.content), marker in first.content) == (manifest(f"{made['id']}/0"), True)
    assert read_mark(first.content) == expected_mark(PROMPT, 0)
    assert (first.status_code, late.status_code) == (200, 403)


@pytest.mark.parametrize("query", ["", "?sig=", "?sig=00", "?sig=%C3%A9"])
async def test_sample_without_its_signature_is_403(bfl: BflServer, bfl_client: httpx.AsyncClient, query: str) -> None:
    await submit(bfl_client)
    url = bfl.picture_urls(bfl.finish())[0].partition("?")[0]

    assert (await bfl_client.get(url + query)).status_code == 403


@pytest.mark.parametrize(
    ("path", "fields", "size", "cost"),
    [
        (FLUX_3, {"resolution": "768sq"}, (768, 768), 4.1),
        (FLUX_3, {"resolution": "2k", "aspect_ratio": "16:9"}, (2736, 1536), 10.0),
        (FLUX_3, {"resolution": "1.5k", "aspect_ratio": "9:21"}, (1008, 2352), 7.0),
        (FLUX_2, {}, (1024, 1024), 3.0),
        (FLUX_2, {"width": 2048, "height": 2048}, (2048, 2048), 7.5),
        ("/v1/flux-2-max", {"width": 512, "height": 64}, (512, 64), 7.0),
        ("/v1/flux-2-flex", {"steps": 20, "guidance": 3}, (1024, 1024), 5.0),
        ("/v1/flux-2-klein-4b", {"width": 0}, (1024, 1024), 1.4),
        ("/v1/flux-2-klein-9b", {}, (1024, 1024), 1.5),
        ("/v1/flux-2-pro-preview", {"output_format": "webp"}, (1024, 1024), 3.0),
    ],
)
async def test_model_has_its_size_and_cost(
    bfl: BflServer,
    bfl_client: httpx.AsyncClient,
    path: str,
    fields: dict[str, Any],
    size: tuple[int, int],
    cost: float,
) -> None:
    made = await submit(bfl_client, path, **fields)
    sample = (await bfl_client.get(bfl.picture_urls(bfl.finish())[0])).content
    with Image.open(io.BytesIO(sample)) as picture:
        assert picture.size == size

    assert made["cost"] == cost


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
async def test_edit_of_base64_derives_from_it(bfl: BflServer, bfl_client: httpx.AsyncClient, prefix: str) -> None:
    source = photo("rings", (640, 400))
    made = await submit(bfl_client, images=prefix + encoded(source))
    job = await bfl.finish_and_wait()
    sample = (await bfl_client.get(bfl.picture_urls(job)[0])).content

    assert made["input_mp"] == 0.26
    assert derives_from(sample, source)
    assert not derives_from(sample, photo("stripes"))
    with Image.open(io.BytesIO(sample)) as picture:
        assert round(picture.width / picture.height, 1) == 1.6


async def test_flux_2_edit_fetches_its_images_in_order(
    bfl: BflServer, bfl_client: httpx.AsyncClient, image_server: ImageServer
) -> None:
    source = photo("stripes")
    urls = {"input_image": image_server.put("a", source), "input_image_8": image_server.put("b", photo("rings"))}
    made = await submit(bfl_client, FLUX_2, **urls)
    job = await bfl.finish_and_wait()

    assert (made["cost"], image_server.requested) == (4.5, ["a", "b"])
    assert derives_from((await bfl_client.get(bfl.picture_urls(job)[0])).content, source)


@pytest.mark.parametrize("url", ["https://a.example/a.png", "http://10.0.0.1/a", "small"])
async def test_unusable_url_ends_as_error(
    bfl: BflServer, bfl_client: httpx.AsyncClient, image_server: ImageServer, url: str
) -> None:
    url = image_server.put("small", photo(size=(255, 300))) if url == "small" else url
    made = await submit(bfl_client, images=[url])
    await bfl.finish_and_wait()
    body = (await bfl_client.get(made["polling_url"])).json()

    assert (body["status"], body["result"], body["cost"], bfl.billed) == ("Error", None, 0.0, [])


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_leaves_a_billed_task(bfl: BflServer, bfl_client: httpx.AsyncClient, case: str) -> None:
    bfl.faults.play(case)
    with pytest.raises(httpx.TransportError):
        await bfl_client.post(FLUX_3, json={"prompt": PROMPT})
    job = bfl.finish()

    assert [charge.job_id for charge in bfl.billed] == [job.id]


async def test_sample_cases_hit_n_downloads(bfl: BflServer, bfl_client: httpx.AsyncClient) -> None:
    await submit(bfl_client)
    (url,) = bfl.picture_urls(bfl.finish())
    bfl.faults.play("sample_expired")
    bfl.faults.add("picture", "truncated")
    expired = await bfl_client.get(url)
    with pytest.raises(httpx.TransportError):
        await bfl_client.get(url)

    assert (expired.status_code, (await bfl_client.get(url)).status_code) == (403, 200)


@pytest.mark.parametrize("is_bad", [False, True])
async def test_webhook_is_signed_with_the_secret(
    bfl: BflServer,
    bfl_client: httpx.AsyncClient,
    raw_receiver: RawReceiver,
    is_bad: bool,
) -> None:
    if is_bad:
        bfl.faults.play("bad_signature")
    made = await submit(bfl_client, FLUX_2, webhook_url=raw_receiver.url, webhook_secret="s3cret")
    bfl.finish()
    await bfl.wait_for(lambda: bfl.webhooks.sent)
    (received,) = raw_receiver.received
    polled = await bfl_client.get("/v1/get_result", params={"id": made["id"]})

    assert made == {"id": made["id"], "status": "Pending", "webhook_url": raw_receiver.url, "cost": 3.0}
    assert json.loads(received.raw) == polled.json()
    assert polled.json()["status"] == "Ready"
    digest = hmac.new(b"s3cret", received.raw, hashlib.sha256).hexdigest()
    assert (received.headers["x-bfl-signature"] == f"sha256={digest}") is not is_bad


@pytest.mark.parametrize("path", [rb"\ud800", rb"\u0000", rb" x"])
async def test_odd_webhook_and_secret_end_the_delivery(
    bfl: BflServer, bfl_client: httpx.AsyncClient, raw_receiver: RawReceiver, path: bytes
) -> None:
    bfl.webhooks.retry_delays = ()
    url = raw_receiver.url.encode() + path
    content = b'{"prompt": "x", "webhook_url": "%s", "webhook_secret": "\\ud800"}' % url
    reply = await bfl_client.post(FLUX_2, content=content)
    bfl.finish()
    await bfl.wait_for(lambda: not bfl.webhooks.pending)

    assert (reply.status_code, len(bfl.webhooks.sent)) == (200, 1)


async def test_webhook_is_repeated_three_times(
    bfl: BflServer, bfl_client: httpx.AsyncClient, raw_receiver: RawReceiver
) -> None:
    assert bfl.webhooks.retry_delays == (1.0, 5.0, 30.0)
    bfl.webhooks.retry_delays = (0.0, 0.0, 0.0)
    raw_receiver.statuses = [500] * 9
    await submit(bfl_client, FLUX_2, webhook_url=raw_receiver.url)
    bfl.finish()
    await bfl.wait_for(lambda: len(bfl.webhooks.sent) == 4 and not bfl.webhooks.pending)

    assert len(raw_receiver.received) == 4
    assert "x-bfl-signature" not in raw_receiver.received[0].headers


async def test_task_with_timers_completes(bfl: BflServer, bfl_client: httpx.AsyncClient) -> None:
    bfl.latency = Latency(queue=0.0, work=0.0)
    await submit(bfl_client)

    await bfl.wait_for(lambda: bfl.jobs[0].state is State.COMPLETED)
