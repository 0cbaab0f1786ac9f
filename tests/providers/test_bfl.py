"""BFL's specifics: bodies, polling hosts, moderation, costs, webhooks."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bot.domain.costs import CostSource, Currency, ProviderBalance, usd
from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import CancelOutcome, Failed, Finished, LostCall, Pending
from bot.providers.bfl import SHAPES, webhook_secret
from sandbox.providers import Endpoint
from sandbox.providers.bfl.models import MODELS
from tests.providers.provider_harness import KEY, PROMPT, RawServer, json_reply
from tests.providers.queue_harness import BFL, WEBHOOK, QueueHarness, picture
from tests.support.catalogue import SHIPPED
from tests.support.submissions import SEED

OFFERS = [offer for offer in SHIPPED.offers if offer.provider == "bfl"]
LOCAL_WEBHOOK = "http://127.0.0.1:1/webhooks/bfl/token"


@pytest.fixture
async def bench(client: httpx.AsyncClient) -> AsyncIterator[QueueHarness]:
    """Yield BFL with its fake."""
    server = BFL.server()
    await server.start()
    yield QueueHarness(case=BFL, server=server, provider=BFL.provider_at(server.url, client, {}), client=client)
    await server.close()


def dollars(amount: str) -> Any:
    """Return a reported cost."""
    return usd(Decimal(amount), CostSource.REPORTED)


@pytest.mark.parametrize(
    ("model", "options", "body"),
    [
        ("flux-3", {}, {"aspect_ratio": "1:1", "grounding": False}),
        (
            "flux-3",
            {"aspect_ratio": "auto", "resolution": "4K"},
            {"aspect_ratio": "auto", "resolution": "4k", "grounding": False},
        ),
        (
            "flux-2-pro",
            {"aspect_ratio": "16:9", "format": "webp"},
            {"width": 1360, "height": 768, "seed": SEED, "output_format": "webp"},
        ),
        (
            "flux-2-pro",
            {"request_seed": 0},
            {"width": 1024, "height": 1024, "seed": 0, "output_format": "png"},
        ),
    ],
)
async def test_submit_sends_the_body_of_the_family(
    bench: QueueHarness, model: str, options: dict[str, Any], body: dict[str, Any]
) -> None:
    job = await bench.submitted(model, **options)
    bench.server.finish()

    sent = bench.server.requests[0]
    assert sent.body == {"prompt": PROMPT, **body}
    assert sent.headers["x-key"] == KEY
    assert "authorization" not in sent.headers
    assert isinstance(await bench.provider.poll(job.handle), Finished)


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.model)
async def test_every_offered_request_is_taken(bench: QueueHarness, offer: Any) -> None:
    """An unknown field or a wrong value would be refused."""
    abilities = offer.abilities
    for ratio in abilities["aspect_ratio"]:
        for resolution in abilities["resolution"] or (None,):
            for format_ in abilities["format"] or (None,):
                await bench.submitted(offer.model, aspect_ratio=ratio, resolution=resolution, format=format_)
                bench.server.finish()
    await bench.submitted(offer.model, files=(picture(),) * abilities.max_inputs)

    assert offer.images_per_call == 1
    assert offer.remote_model in MODELS


def test_every_shape_is_offered() -> None:
    assert {offer.shape for offer in OFFERS} == set(SHAPES)


@pytest.mark.parametrize(("model", "names"), [("flux-3", ["images"]), ("flux-2-pro", ["input_image", "input_image_2"])])
async def test_inputs_are_base64(bench: QueueHarness, model: str, names: list[str]) -> None:
    files = (picture(), picture(300, 300))

    job = await bench.submitted(model, files=files)
    await bench.server.finish_and_wait()

    body = bench.server.requests[0].body
    sent = body["images"] if names == ["images"] else [body[name] for name in names]
    assert [base64.b64decode(each) for each in sent] == [each.data for each in files]
    assert isinstance(await bench.provider.poll(job.handle), Finished)


@pytest.mark.parametrize("change", [{"aspect_ratio": "auto"}, {"resolution": "4K"}])
async def test_size_that_flux_2_lacks_sends_nothing(bench: QueueHarness, change: dict[str, Any]) -> None:
    """A file of models may give its offer more sizes."""
    call = bench.call()

    with pytest.raises(ProviderError) as caught:
        await bench.provider.submit(replace(call, request=replace(call.request, **change)))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)
    assert not bench.server.requests


@pytest.mark.parametrize("change", [{"shape": "another"}, {"remote_model": "../x"}])
async def test_offer_without_a_model_sends_nothing(bench: QueueHarness, change: dict[str, Any]) -> None:
    call = bench.call()

    with pytest.raises(ProviderError) as caught:
        await bench.provider.submit(replace(call, offer=replace(call.offer, **change)))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)
    assert not bench.server.requests


async def test_task_is_polled_at_its_own_host(bench: QueueHarness) -> None:
    """The API's host does not know it."""
    job = await bench.submitted("flux-3")
    bench.server.advance()

    answer = await bench.provider.poll(job.handle)

    assert job.handle.startswith(bench.server.polling_url)
    assert isinstance(answer, Pending)
    assert (answer.running, answer.percent, answer.record_id) == (True, 10, bench.server.jobs[0].id)
    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll(bench.server.jobs[0].id)
    assert caught.value.kind is FaultKind.NOT_FOUND


@pytest.mark.parametrize(
    "url",
    [
        "https://api.us.bfl.ai.evil.example/v1/get_result?id=c546",
        "https://evil.example/v1/get_result?id=c546",
        "http://api.us.bfl.ai/v1/get_result?id=c546",
        "https://api.us.bfl.ai:8443/v1/get_result?id=c546",
        "https://api@evil.example/v1/get_result?id=c546",
        "https://api.us.bfl.ai/v1/credits?id=c546",
        "https://api.us.bfl.ai/v1/get_result?id=c546&x=https://evil.example",
        "https://[::1/v1/get_result?id=c546",
        "file:///v1/get_result?id=c546",
        "api.us.bfl.ai/v1/get_result?id=c546",
    ],
)
async def test_key_goes_to_no_strange_polling_url(bench: QueueHarness, url: str) -> None:
    """The task is then known by its id."""
    async with RawServer(json_reply(json.dumps({"id": "c546", "polling_url": url, "cost": 3}))) as raw:
        provider = bench.provider_at(raw.url)
        job = await provider.submit(bench.call())

        assert job == Pending(handle="c546", running=False, record_id="c546", cost=dollars("0.03"))
        with pytest.raises(ProviderError) as caught:
            await provider.poll(url)

    assert caught.value.kind is FaultKind.NOT_FOUND
    assert len(raw.requests) == 1


@pytest.mark.parametrize("host", ["api.bfl.ai", "api.eu.bfl.ai", "api.us2.bfl.ai", "api.bfl.ml"])
async def test_polling_url_of_bfl_is_the_handle(bench: QueueHarness, host: str) -> None:
    url = f"https://{host}/v1/get_result?id=c546"
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json={"id": "c546", "polling_url": url}))
    async with httpx.AsyncClient(transport=answers) as client:
        job = await BFL.provider_at("https://api.bfl.ai", client, {}).submit(bench.call())

    assert job == Pending(handle=url, running=False, record_id="c546")


async def test_key_of_a_gateway_goes_to_no_host_of_bfl(bench: QueueHarness) -> None:
    url = "https://api.us2.bfl.ai/v1/get_result?id=c546"
    async with RawServer(json_reply(json.dumps({"id": "c546", "polling_url": url}))) as raw:
        job = await bench.provider_at(raw.url).submit(bench.call())

    assert job == Pending(handle="c546", running=False, record_id="c546")


async def test_other_port_of_this_machine_is_strange_to_the_real_api(
    bench: QueueHarness, client: httpx.AsyncClient
) -> None:
    provider = BFL.provider_at("https://api.bfl.ai", client, {})

    with pytest.raises(ProviderError) as caught:
        await provider.poll(f"{bench.server.polling_url}/v1/get_result?id=c546")

    assert caught.value.kind is FaultKind.NOT_FOUND
    assert not bench.server.requests


@pytest.mark.parametrize(
    ("case", "kind", "cost"),
    [
        ("refused_input", FaultKind.CONTENT, "0"),
        ("refused_output", FaultKind.CONTENT, "0.03"),
        ("refused_output_free", FaultKind.CONTENT, "0"),
        ("moderated_503", FaultKind.CONTENT, "0"),
        ("failed", FaultKind.GENERATION, "0"),
        ("failed_503", FaultKind.GENERATION, "0"),
        ("nothing", FaultKind.NO_PICTURES, "0.03"),
    ],
)
async def test_end_without_a_picture_has_its_cost(bench: QueueHarness, case: str, kind: FaultKind, cost: str) -> None:
    bench.server.faults.play(case)
    job = await bench.submitted()
    bench.server.finish()

    answer = await bench.provider.poll(job.handle, hide=(PROMPT,))

    assert isinstance(answer, Failed)
    assert (answer.kind, answer.cost) == (kind, dollars(cost))
    assert sum((Decimal(charge.cost) for charge in bench.server.billed), Decimal(0)) == Decimal(cost)


async def test_normal_body_counts_in_an_http_error(bench: QueueHarness) -> None:
    job = await bench.submitted()
    bench.server.faults.play("overloaded_task", times=2)

    assert isinstance(await bench.provider.poll(job.handle), Pending)
    bench.server.finish()
    assert isinstance(await bench.provider.poll(job.handle), Finished)


async def test_unknown_task_is_not_found(bench: QueueHarness) -> None:
    job = await bench.submitted()
    bench.server.faults.play("task_not_found")

    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll(job.handle)

    assert caught.value.kind is FaultKind.NOT_FOUND


@pytest.mark.parametrize(
    ("case", "kind", "maybe_accepted"),
    [
        ("key_forbidden", FaultKind.KEY_REJECTED, False),
        ("overloaded", FaultKind.UNAVAILABLE, True),
        ("bad_input", FaultKind.INVALID, False),
        ("bad_input_text", FaultKind.INVALID, False),
        ("unknown_field", FaultKind.INVALID, False),
    ],
)
async def test_refused_submit_is_classified(
    bench: QueueHarness, case: str, kind: FaultKind, *, maybe_accepted: bool
) -> None:
    bench.server.faults.play(case)

    with pytest.raises(ProviderError) as caught:
        await bench.provider.submit(bench.call())

    assert (caught.value.kind, caught.value.maybe_accepted) == (kind, maybe_accepted)


@pytest.mark.parametrize(("model", "amount"), [("flux-3", "0.048"), ("flux-2-pro", "0.03")])
async def test_cost_is_reported_in_cents(bench: QueueHarness, model: str, amount: str) -> None:
    job = await bench.submitted(model)
    bench.server.finish()
    finished = await bench.provider.poll(job.handle)

    assert isinstance(finished, Finished)
    assert job.cost == finished.cost == dollars(amount)


async def test_picture_is_fetched_without_the_key(bench: QueueHarness, client: httpx.AsyncClient) -> None:
    job = await bench.submitted()
    bench.server.finish()
    finished = await bench.provider.poll(job.handle)

    assert isinstance(finished, Finished)
    assert finished.image_urls[0].startswith(bench.server.delivery_url)
    assert (await client.get(finished.image_urls[0])).status_code == 200
    assert "x-key" not in bench.server.requests[-1].headers


async def test_nothing_can_be_cancelled_or_looked_up(bench: QueueHarness) -> None:
    job = await bench.submitted()

    assert await bench.provider.cancel(job.handle) is CancelOutcome.UNSUPPORTED
    assert await bench.provider.find_lost(bench.call()) is LostCall.UNDECIDED
    assert len(bench.server.requests) == 1


async def test_task_with_a_webhook_is_polled_by_its_id(bench: QueueHarness) -> None:
    job = await bench.submitted(webhook_url=LOCAL_WEBHOOK)
    bench.server.finish()

    body = bench.server.requests[0].body
    assert (body["webhook_url"], body["webhook_secret"]) == (LOCAL_WEBHOOK, webhook_secret(LOCAL_WEBHOOK))
    assert job.handle == bench.server.jobs[0].id
    assert isinstance(await bench.provider.poll(job.handle), Finished)
    assert [each.endpoint for each in bench.server.requests] == [Endpoint.SUBMIT, Endpoint.STATUS]


async def test_flux_3_gets_no_webhook(bench: QueueHarness) -> None:
    job = await bench.submitted("flux-3", webhook_url=WEBHOOK)

    assert job.handle.startswith(bench.server.polling_url)


@pytest.mark.parametrize("case", ["", "bad_signature"])
async def test_webhook_is_verified_by_the_secret_of_its_address(bench: QueueHarness, case: str) -> None:
    job = await bench.submitted(webhook_url=LOCAL_WEBHOOK)
    bench.server.finish()
    raw = json.dumps(bench.server.body(bench.server.jobs[0])).encode()
    headers = dict(bench.server._sign(bench.server.jobs[0], raw, case))

    is_genuine = await bench.provider.verify_webhook(LOCAL_WEBHOOK, headers, raw)

    assert is_genuine is (case == "")
    assert not await bench.provider.verify_webhook(WEBHOOK, headers, raw)
    assert not await bench.provider.verify_webhook(LOCAL_WEBHOOK, headers, raw + b" ")
    assert bench.provider.parse_webhook(json.loads(raw)) == job.handle


def test_secret_and_signature_are_those_of_the_contract() -> None:
    secret = hashlib.sha256(b"bfl-webhook:https://studio.example/w").hexdigest()

    assert webhook_secret("https://studio.example/w") == secret
    assert len(hmac.new(secret.encode(), b"{}", hashlib.sha256).hexdigest()) == 64


@pytest.mark.parametrize("body", [None, 5, [], {}, {"id": None}, {"id": ".."}, {"id": "a/b"}, {"id": "x" * 101}])
async def test_strange_webhook_names_no_handle(bench: QueueHarness, body: object) -> None:
    assert bench.provider.parse_webhook(body) is None


async def test_balance_is_in_cents(bench: QueueHarness) -> None:
    bench.server.store.balance = Decimal("4.37")
    assert await bench.provider.balance() == ProviderBalance(amount=Decimal("4.37"), currency=Currency.USD)
    assert not bench.server.store.jobs


async def test_refused_balance_is_an_error(bench: QueueHarness) -> None:
    bench.server.faults.add("account", "status", status=500)
    with pytest.raises(ProviderError) as caught:
        await bench.provider.balance()
    assert caught.value.kind is FaultKind.SERVER_ERROR


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"credits": -12}, ProviderBalance(amount=Decimal("-0.12"), currency=Currency.USD)),
        ({"credits": None}, None),
        ({"credits": True}, None),
        ({"credits": float("inf")}, None),
        ([], None),
    ],
)
async def test_balance_may_be_negative_or_missing(
    document: object, expected: ProviderBalance | None, client: httpx.AsyncClient
) -> None:
    async with RawServer(json_reply(json.dumps(document))) as raw:
        assert await BFL.provider_at(raw.url, client, {}).balance() == expected
