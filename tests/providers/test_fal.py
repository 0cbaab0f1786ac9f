"""fal's specifics: inputs, results, refusals, cancels and lost replies."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Abilities, Mode
from bot.providers.base import Cancelled, CancelOutcome, Failed, Finished, LostCall, Pending
from bot.providers.fal import Fal
from bot.providers.fal.input_shapes import SHAPES
from bot.providers.pixel_sizes import pixels
from sandbox.providers import Endpoint
from sandbox.providers.fal.endpoints import ENDPOINTS
from tests.providers.provider_harness import KEY, PROMPT, RawServer, json_reply
from tests.providers.queue_harness import BFL, FAL, WEBHOOK, QueueHarness, call_at, offer_at, picture
from tests.support.catalogue import SHIPPED
from tests.support.submissions import SEED

OFFERS = [offer for offer in SHIPPED.offers if offer.provider == "fal"]
TODAY = date(2026, 12, 1)
_MODELS_BY_PIXELS = {"seedream-5-pro"}  # fal names their first price only
_PRICED = [
    (offer, resolution, quality)
    for offer in OFFERS
    if offer.list_prices and offer.model not in _MODELS_BY_PIXELS
    for resolution in (None, *offer.abilities["resolution"])
    for quality in (None, *offer.abilities["quality"])
]
HEAD = {"prompt": PROMPT}


@pytest.fixture
async def bench(client: httpx.AsyncClient) -> AsyncIterator[QueueHarness]:
    """Yield fal with its fake."""
    server = FAL.server()
    await server.start()
    provider = FAL.provider_at(server.url, client, FAL.arguments(server))
    yield QueueHarness(case=FAL, server=server, provider=provider, client=client)
    await server.close()


@pytest.mark.parametrize(
    ("model", "options", "body"),
    [
        ("flux-3", {}, {"aspect_ratio": "1:1", "output_format": "png"}),
        (
            "flux-3",
            {"aspect_ratio": "auto", "resolution": "2K", "format": "webp"},
            {"aspect_ratio": "auto", "resolution": "2k", "output_format": "webp"},
        ),
        ("flux-2-pro", {}, {"image_size": {"width": 1024, "height": 1024}, "output_format": "png", "seed": SEED}),
        (
            "nano-banana-pro",
            {"aspect_ratio": "16:9", "images": 3, "resolution": "4K"},
            {"aspect_ratio": "16:9", "resolution": "4K", "num_images": 3, "output_format": "png", "seed": SEED},
        ),
        (
            "seedream-5-pro",
            {"aspect_ratio": "16:9", "format": "jpeg"},
            {"image_size": {"width": 1376, "height": 768}, "num_images": 1, "output_format": "jpeg"},
        ),
        (
            "qwen-image-2-pro",
            {"aspect_ratio": "9:16", "images": 2},
            {"image_size": {"width": 768, "height": 1360}, "num_images": 2, "output_format": "png", "seed": SEED},
        ),
        (
            "qwen-image-2-pro",
            {"request_seed": 0, "negative": "no fog"},
            {
                "image_size": {"width": 1024, "height": 1024},
                "num_images": 1,
                "output_format": "png",
                "seed": 0,
                "negative_prompt": "no fog",
            },
        ),
        ("ideogram-4", {}, {"image_size": {"width": 1024, "height": 1024}, "num_images": 1, "seed": SEED}),
        (
            "gpt-image-2",
            {},
            {
                "image_size": {"width": 1024, "height": 1024},
                "num_images": 1,
                "output_format": "png",
                "quality": "medium",
            },
        ),
    ],
)
async def test_submit_sends_the_input_of_the_endpoint(
    bench: QueueHarness, model: str, options: dict[str, Any], body: dict[str, Any]
) -> None:
    job = await bench.submitted(model, **options)
    bench.server.finish()

    sent = bench.server.requests[0]
    assert sent.body == {"prompt": PROMPT, **body}
    assert sent.path == f"/{offer_at('fal', model).remote_model}"
    assert isinstance(await bench.provider.poll(job.handle), Finished)


async def test_submit_asks_for_no_repeats_and_short_lived_media(bench: QueueHarness) -> None:
    await bench.submitted()

    headers = bench.server.requests[0].headers
    assert headers["authorization"] == f"Key {KEY}"
    assert headers["x-fal-no-retry"] == "1"
    assert headers["x-fal-request-timeout"] == "3600"
    assert json.loads(headers["x-fal-object-lifecycle-preference"]) == {"expiration_duration_seconds": 86_400}
    assert "x-fal-store-io" not in headers


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.model)
async def test_every_offered_request_is_taken(bench: QueueHarness, offer: Any) -> None:
    """All aspect ratios, resolutions and formats; edits with all inputs."""
    abilities = offer.abilities
    model = next(each for each in SHIPPED.models if each.id == offer.model)
    calls = [
        bench.call(offer.model, aspect_ratio=ratio, resolution=resolution, format=format_)
        for ratio in abilities["aspect_ratio"]
        for resolution in abilities["resolution"] or (None,)
        for format_ in abilities["format"] or (None,)
    ]
    calls.append(bench.call(offer.model, images=offer.images_per_call or 4))
    if abilities.max_inputs:
        most = min(abilities.max_inputs, model.abilities.max_inputs)
        calls.append(bench.call(offer.model, files=(picture(),) * most))

    for call in calls:
        await bench.provider.submit(call)

    assert [request.failure for request in bench.server.requests_by_id.values()] == [None] * len(calls)
    assert not any(request.unknown_fields for request in bench.server.requests_by_id.values())


@pytest.mark.parametrize("name", ["fal", "bfl"])
async def test_offer_without_formats_asks_for_none(client: httpx.AsyncClient, name: str) -> None:
    call = call_at(name, "flux-2-pro")
    limits: dict[str, Any] = {**call.offer.abilities.limits, "format": ()}
    abilities = Abilities(**limits)
    async with RawServer(json_reply('{"request_id": "c546", "id": "c546"}')) as raw:
        provider = (FAL if name == "fal" else BFL).provider_at(raw.url, client, {})
        await provider.submit(replace(call, offer=replace(call.offer, abilities=abilities)))

    assert b"output_format" not in raw.requests[0]


@pytest.mark.parametrize(
    ("offer", "resolution", "quality"),
    _PRICED,
    ids=["-".join(map(str, (each[0].model, *each[1:]))) for each in _PRICED],
)
async def test_list_price_is_what_a_picture_costs(
    bench: QueueHarness, offer: Any, resolution: str | None, quality: str | None
) -> None:
    await bench.submitted(offer.model, resolution=resolution, quality=quality)
    bench.server.finish()
    price = offer.list_price(TODAY)

    assert price.of(Mode.TEXT, resolution=resolution, quality=quality) == bench.server.billed[0].cost


def test_every_shape_is_offered() -> None:
    assert {offer.shape for offer in OFFERS} == set(SHAPES)
    assert {offer.remote_model for offer in OFFERS} <= set(ENDPOINTS)
    assert all((offer.remote_edit_model in ENDPOINTS) is (offer.abilities.max_inputs > 0) for offer in OFFERS)


_SIDES = {"flux-2": (256, 2048), "seedream": (512, 4096), "qwen-image": (512, 2048), "ideogram": (256, 2048)}
_PIXELS = {"gpt-image": (655_360, 8_294_400), "seedream": (1024**2, 2048**2)}


@pytest.mark.parametrize("offer", OFFERS, ids=[offer.model for offer in OFFERS])
def test_every_offered_size_is_within_the_limits(offer: Any) -> None:
    """The limits are those of fal's pages."""
    shape, call = SHAPES[offer.shape], call_at("fal", offer.model)
    least, most = _SIDES.get(offer.shape, (256, 3840))
    fewest, area = _PIXELS.get(offer.shape, (least**2, 2048**2))
    for ratio in offer.abilities["aspect_ratio"]:
        for resolution in (None, *offer.abilities["resolution"]):
            request = replace(call.request, aspect_ratio=ratio, resolution=resolution)
            size = shape.body(replace(call, request=request), []).get("image_size")
            if not isinstance(size, dict):  # a ratio, and the name of a resolution
                assert shape.resolutions
                continue
            sides = (size["width"], size["height"])
            assert all(side % 16 == 0 and least <= side <= most for side in sides), (ratio, resolution, sides)
            assert fewest <= sides[0] * sides[1] <= area, (ratio, resolution, sides)


@pytest.mark.parametrize("ratio", ["16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16"])
def test_size_in_pixels_has_the_ratio_and_no_further_megapixel(ratio: str) -> None:
    width, height = pixels(ratio, 1024)
    wide, high = map(int, ratio.split(":"))

    assert width * height <= 1024 * 1024
    assert abs(width / height / (wide / high) - 1) < 0.03
    assert pixels(ratio, 1024, least=1024 * 1024) >= (width, height)
    assert all(side % 16 == 0 for side in (width, height))


async def test_inputs_are_data_uris_at_the_endpoint_for_edits(bench: QueueHarness) -> None:
    files = (picture(), picture(300, 300))

    job = await bench.submitted("flux-3", files=files)
    await bench.server.finish_and_wait()

    sent = bench.server.requests[0]
    assert sent.path == "/blackforestlabs/flux-3/edit-image"
    assert [url[:22] for url in sent.body["image_urls"]] == ["data:image/png;base64,"] * 2
    assert [each.width for each in bench.server.jobs[0].inputs] == [320, 300]
    assert isinstance(await bench.provider.poll(job.handle), Finished)


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("flux-2-pro", {"aspect_ratio": "auto"}),
        ("flux-2-pro", {"resolution": "4K"}),
        ("flux-3", {"resolution": "8K"}),
    ],
)
async def test_size_that_an_endpoint_lacks_sends_nothing(
    bench: QueueHarness, model: str, change: dict[str, Any]
) -> None:
    """A file of models may give its offer more sizes."""
    call = bench.call(model)

    with pytest.raises(ProviderError) as caught:
        await bench.provider.submit(replace(call, request=replace(call.request, **change)))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)
    assert not bench.server.requests


@pytest.mark.parametrize("change", [{"shape": "another"}, {"remote_edit_model": None}, {"remote_edit_model": "a/../b"}])
async def test_offer_without_an_endpoint_sends_nothing(bench: QueueHarness, change: dict[str, Any]) -> None:
    call = bench.call(files=(picture(),))

    with pytest.raises(ProviderError) as caught:
        await bench.provider.submit(replace(call, offer=replace(call.offer, **change)))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)
    assert not bench.server.requests


async def test_handle_names_the_application_without_the_path_below_it(bench: QueueHarness) -> None:
    job = await bench.submitted("flux-3")

    assert job.handle == f"blackforestlabs/flux-3/requests/{bench.server.jobs[0].id}"
    assert job.record_id == bench.server.jobs[0].id


@pytest.mark.parametrize(
    "body",
    [
        '{"request_id": "c546", "response_url": "https://elsewhere.example/fal-ai/other/requests/c547"}',
        '{"request_id": "c546"}',
        "<html>",
    ],
)
async def test_handle_never_points_to_another_host(bench: QueueHarness, body: str) -> None:
    async with RawServer(json_reply(body, headers="x-fal-request-id: c546\r\n")) as raw:
        job = await bench.provider_at(raw.url).submit(bench.call())

    assert isinstance(job, Pending)
    assert job.handle == "fal-ai/flux-2-pro/requests/c546"


async def test_half_a_reply_is_known_by_its_header(bench: QueueHarness) -> None:
    async with RawServer(b"HTTP/1.1 200 OK\r\nx-fal-request-id: c546\r\nContent-Length: 99\r\n\r\n{") as raw:
        job = await bench.provider_at(raw.url).submit(bench.call())

    assert isinstance(job, Pending)
    assert job.handle == "fal-ai/flux-2-pro/requests/c546"


async def test_position_counts_down_in_the_queue(bench: QueueHarness) -> None:
    job = await bench.submitted()

    positions = [(await bench.provider.poll(job.handle)) for _ in range(3)]

    assert job.position == 3
    assert [isinstance(each, Pending) and each.position for each in positions] == [3, 2, 1]


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("refused_input", FaultKind.CONTENT),
        ("refused_input_text", FaultKind.CONTENT),
        ("refused_output", FaultKind.CONTENT),
        ("nothing", FaultKind.NO_PICTURES),
        ("bad_input", FaultKind.INPUT_NOT_FETCHED),
        ("file_too_large", FaultKind.INPUT_TOO_LARGE),
        ("image_too_large", FaultKind.INPUT_TOO_LARGE),
        ("image_too_small", FaultKind.INPUT_TOO_SMALL),
        ("feature_not_supported", FaultKind.INVALID),
        ("generation_timeout", FaultKind.GENERATION),
        ("downstream_error", FaultKind.GENERATION),
        ("internal_error", FaultKind.GENERATION),
        ("startup_timeout", FaultKind.UNAVAILABLE),
        ("request_timeout", FaultKind.UNAVAILABLE),
        ("runner_disconnected", FaultKind.SERVER_ERROR),
        ("runner_scheduling_failure", FaultKind.SERVER_ERROR),
    ],
)
async def test_completed_request_may_be_a_failure(bench: QueueHarness, case: str, kind: FaultKind) -> None:
    bench.server.faults.play(case)
    job = await bench.submitted("nano-banana-pro")
    bench.server.finish()

    answer = await bench.provider.poll(job.handle, hide=(PROMPT,))

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.handle) == (kind, job.handle)


async def test_flagged_picture_is_left_out(bench: QueueHarness) -> None:
    result = {
        "images": [{"url": "https://v3.fal.media/a.png"}, {"url": "https://v3.fal.media/b.png"}],
        "has_nsfw_concepts": [True, False],
    }
    async with RawServer(json_reply(json.dumps({"status": "COMPLETED", **result}))) as raw:
        answer = await bench.provider_at(raw.url).poll("fal-ai/flux-2-pro/requests/c546")

    assert isinstance(answer, Finished)
    assert answer.image_urls == ("https://v3.fal.media/b.png",)


@pytest.mark.parametrize("case", ["account_empty", "account_top_up", "account_locked"])
async def test_locked_user_is_an_empty_account(bench: QueueHarness, case: str) -> None:
    bench.server.faults.play(case)

    with pytest.raises(ProviderError) as caught:
        await bench.provider.submit(bench.call())

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.ACCOUNT_EMPTY, False)


async def test_overload_of_a_submit_may_be_accepted(bench: QueueHarness) -> None:
    for status in (500, 503, 504):
        bench.server.faults.add("submit", "status", status=status)
        with pytest.raises(ProviderError) as caught:
            await bench.provider.submit(bench.call())
        assert caught.value.maybe_accepted
    bench.server.faults.play("overloaded")
    with pytest.raises(ProviderError) as caught:
        await bench.provider.submit(bench.call())

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.SERVER_ERROR, True)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, FaultKind.KEY_REJECTED), (429, FaultKind.RATE_LIMITED), (503, FaultKind.UNAVAILABLE)]
)
async def test_fault_of_the_read_of_a_result_is_no_failure(bench: QueueHarness, status: int, kind: FaultKind) -> None:
    job = await bench.submitted()
    bench.server.finish()
    bench.server.faults.add("result", "status", status=status)
    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll(job.handle)

    assert caught.value.kind is kind
    assert isinstance(await bench.provider.poll(job.handle), Finished)


async def test_unknown_request_is_not_found(bench: QueueHarness) -> None:
    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll("fal-ai/flux-2-pro/requests/c546")

    assert caught.value.kind is FaultKind.NOT_FOUND


async def test_cancel_in_the_queue_drops_the_request(bench: QueueHarness) -> None:
    job = await bench.submitted()

    assert await bench.provider.cancel(job.handle) is CancelOutcome.CANCELLED
    assert await bench.provider.poll(job.handle) == Cancelled(handle=job.handle)
    assert not bench.server.billed


async def test_cancel_of_a_running_request_is_decided_by_its_status(bench: QueueHarness) -> None:
    job = await bench.submitted()
    bench.server.advance()

    assert await bench.provider.cancel(job.handle) is CancelOutcome.READ_AGAIN
    bench.server.advance()
    assert isinstance(await bench.provider.poll(job.handle), Finished)
    assert await bench.provider.cancel(job.handle) is CancelOutcome.STARTED


async def test_cancel_may_stop_a_running_model(bench: QueueHarness) -> None:
    job = await bench.submitted()
    bench.server.advance()
    bench.server.faults.play("cancel_obeyed")

    assert await bench.provider.cancel(job.handle) is CancelOutcome.READ_AGAIN
    assert await bench.provider.poll(job.handle) == Cancelled(handle=job.handle)


async def test_cancel_of_an_unknown_request(bench: QueueHarness) -> None:
    assert await bench.provider.cancel("fal-ai/flux-2-pro/requests/c546") is CancelOutcome.UNKNOWN_JOB


async def lost(bench: QueueHarness, **options: Any) -> Any:
    """Lose the reply to a submit, and return the call."""
    call = bench.call(**options)
    bench.server.faults.play("reply_lost")
    with pytest.raises(ProviderError):
        await bench.provider.submit(call)
    return call


async def test_key_of_a_gateway_goes_to_no_host_of_fal(bench: QueueHarness) -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(503)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        for base in ("https://gateway.example/fal", "https://queue.fal.run"):
            provider = FAL.provider_at(base, client, {})
            with contextlib.suppress(ProviderError):
                assert await provider.find_lost(bench.call()) is LostCall.UNDECIDED

    assert hosts == ["api.fal.ai"]


async def test_lost_request_is_found_by_its_input(bench: QueueHarness) -> None:
    await bench.submitted(seed=SEED + 1)
    bench.server.finish()
    call = await lost(bench)
    bench.server.finish()

    handle = await bench.provider.find_lost(call)

    assert handle == f"fal-ai/flux-2-pro/requests/{bench.server.jobs[1].id}"
    assert isinstance(await bench.provider.poll(handle), Finished)
    assert len(bench.server.jobs) == 2


async def test_lost_edit_is_found_without_the_bytes_of_its_inputs(bench: QueueHarness) -> None:
    call = await lost(bench, files=(picture(),))
    await bench.server.finish_and_wait()

    assert await bench.provider.find_lost(replace(call, inputs=())) == (
        f"fal-ai/flux-2-pro/requests/{bench.server.jobs[0].id}"
    )


async def test_lost_request_is_found_after_all_pages(bench: QueueHarness) -> None:
    call = await lost(bench)
    for number in range(1, 121):
        await bench.submitted(seed=SEED + number)
    for job in bench.server.jobs:
        bench.server.finish(job)

    assert await bench.provider.find_lost(call) == f"fal-ai/flux-2-pro/requests/{bench.server.jobs[0].id}"
    pages = [each for each in bench.server.requests if each.endpoint is Endpoint.ACCOUNT]
    assert len(pages) == 2


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ("history_empty", LostCall.ASK_AGAIN),
        ("history_twin", LostCall.UNDECIDED),
        ("history_without_payloads", LostCall.UNDECIDED),
    ],
)
async def test_doubtful_history_finds_nothing(bench: QueueHarness, case: str, found: LostCall) -> None:
    call = await lost(bench)
    bench.server.finish()
    bench.server.faults.play(case)

    assert await bench.provider.find_lost(call) is found


async def test_running_request_is_found_once_it_has_ended(bench: QueueHarness) -> None:
    call = await lost(bench)

    assert await bench.provider.find_lost(call) is LostCall.ASK_AGAIN
    bench.server.finish()
    assert await bench.provider.find_lost(call) == f"fal-ai/flux-2-pro/requests/{bench.server.jobs[0].id}"


async def test_unreachable_platform_can_be_asked_again(bench: QueueHarness) -> None:
    call = await lost(bench)
    bench.server.faults.add("account", "status", status=503)

    with pytest.raises(ProviderError) as caught:
        await bench.provider.find_lost(call)

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_history_beyond_the_period_is_not_compared(bench: QueueHarness, client: httpx.AsyncClient) -> None:
    call = bench.call()
    body = SHAPES["flux-2"].body(call, [])
    item = {"request_id": "c546", "sent_at": "2020-01-01T00:00:00Z", "json_input": body}
    async with RawServer(json_reply(json.dumps({"items": [item], "has_more": False}))) as raw:
        provider = FAL.provider_at(bench.server.url, client, {"platform_url": raw.url})

        assert await provider.find_lost(call) is LostCall.ASK_AGAIN


async def test_request_outside_the_time_of_the_call_is_another_one(bench: QueueHarness) -> None:
    call = await lost(bench)
    bench.server.finish()
    now = datetime.now(UTC)

    for minutes, is_found in ((-3, False), (-1, True), (1, True), (3, False)):
        found = await bench.provider.find_lost(replace(call, sent_at=now + timedelta(minutes=minutes)))
        assert isinstance(found, LostCall) is not is_found


async def test_answered_request_with_the_same_input_is_another_one(bench: QueueHarness) -> None:
    """Without a seed, several calls of a job are equal."""
    await bench.submitted("seedream-5-pro")
    bench.server.finish()
    call = await lost(bench, model="seedream-5-pro")
    described = replace(call, sent_at=datetime.now(UTC))

    assert await bench.provider.find_lost(described) is LostCall.ASK_AGAIN
    bench.server.finish()
    assert await bench.provider.find_lost(described) == f"bytedance/seedream/requests/{bench.server.jobs[1].id}"


@pytest.mark.parametrize("options", [{"model": "seedream-5-pro"}, {"request_seed": 7}])
async def test_call_without_own_seed_and_time_is_not_looked_for(bench: QueueHarness, options: dict[str, Any]) -> None:
    """Another call may have the same input."""
    call = await lost(bench, **options)
    bench.server.finish()

    assert await bench.provider.find_lost(call) is LostCall.UNDECIDED


async def test_webhook_is_announced_in_the_query(bench: QueueHarness) -> None:
    await bench.provider.submit(bench.call(webhook_url=WEBHOOK))

    assert bench.server.requests[0].query["fal_webhook"] == WEBHOOK
    assert WEBHOOK not in json.dumps(bench.server.requests[0].body)


class Signed:
    """A webhook signed by the fake, at a moment of its clock."""

    def __init__(self, bench: QueueHarness) -> None:
        self.server = bench.server
        self.body = b'{"request_id": "c546", "status": "OK", "payload": {}}'

    def headers(self, case: str = "") -> dict[str, str]:
        """Return the signature headers."""
        return dict(self.server.signer.headers("c546", self.body, case))

    @property
    def reads(self) -> int:
        """Return how often the keys were read."""
        return sum(each.path.endswith("jwks.json") for each in self.server.requests)


async def test_signed_webhook_is_accepted_with_one_read_of_the_keys(bench: QueueHarness) -> None:
    signed = Signed(bench)

    for _ in range(3):
        assert await bench.provider.verify_webhook(WEBHOOK, signed.headers(), signed.body)
    lower = {name.lower(): value for name, value in signed.headers().items()}
    assert await bench.provider.verify_webhook(WEBHOOK, lower, signed.body)

    assert signed.reads == 1
    assert "authorization" not in bench.server.requests[0].headers


async def test_forged_webhooks_read_the_keys_once(bench: QueueHarness) -> None:
    signed = Signed(bench)

    for case in ("bad_signature", "old_timestamp", "bad_signature", "bad_signature"):
        assert not await bench.provider.verify_webhook(WEBHOOK, signed.headers(case), signed.body)
    assert not await bench.provider.verify_webhook(WEBHOOK, signed.headers(), signed.body + b" ")
    assert not await bench.provider.verify_webhook(
        WEBHOOK, signed.headers() | {"X-Fal-Webhook-Signature": "zz"}, signed.body
    )

    assert signed.reads == 1


async def test_changed_keys_are_read_after_a_pause(client: httpx.AsyncClient, bench: QueueHarness) -> None:
    moment = datetime.now(UTC)
    provider: Fal = FAL.provider_at(bench.server.url, client, FAL.arguments(bench.server) | {"now": lambda: moment})
    bench.server.signer._wall_clock = lambda: moment.timestamp()  # noqa: PLW0108 - it moves
    signed = Signed(bench)
    assert await provider.verify_webhook(WEBHOOK, signed.headers(), signed.body)

    bench.server.signer._keys.reverse()
    bench.server.signer._keys[-1] = bench.server.signer._unlisted
    assert not await provider.verify_webhook(WEBHOOK, signed.headers(), signed.body)
    moment += timedelta(minutes=6)
    assert await provider.verify_webhook(WEBHOOK, signed.headers(), signed.body)
    assert signed.reads == 2


async def test_unreadable_keys_reject_a_webhook(bench: QueueHarness) -> None:
    signed = Signed(bench)
    bench.server.faults.add("models", "status", status=503)

    assert not await bench.provider.verify_webhook(WEBHOOK, signed.headers(), signed.body)


async def test_webhook_names_no_handle(bench: QueueHarness) -> None:
    """Its request id lacks the application."""
    assert bench.provider.parse_webhook({"request_id": "c546", "status": "OK"}) is None


def test_description_of_a_call_is_the_same_again() -> None:
    call = call_at("fal", "qwen-image-2-pro", images=2)
    shape = SHAPES[call.offer.shape]

    assert shape.body(call, []) == shape.body(replace(call, webhook_url=None), [])
    assert shape.body(call, []).items() > HEAD.items()
