"""SkillBoss's specifics: request, headers, cancel, partial replies."""

from collections.abc import AsyncIterator

import httpx
import pytest
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.images import InputImage
from bot.providers.base import Cancelled, CancelOutcome, Failed, Finished, Pending
from bot.providers.http import ProviderHttp
from bot.providers.skillboss import SIZES, SkillBoss
from sandbox.providers import MANUAL, SkillBossServer
from tests.providers.provider_harness import KEY, PROMPT, RawServer, json_reply
from tests.support.catalogue import OFFERS, SHIPPED, generation_request
from tests.support.submissions import submission as described

OFFER = next(offer for offer in OFFERS if offer.provider == "skillboss")
PRO = next(offer for offer in SHIPPED.offers if (offer.provider, offer.model) == ("skillboss", "nano-banana-pro"))
REQUEST = generation_request(prompt=PROMPT)


@pytest.fixture
async def server() -> AsyncIterator[SkillBossServer]:
    """Yield the fake with manually advanced jobs."""
    server = SkillBossServer(key=KEY, latency=MANUAL)
    await server.start()
    yield server
    await server.close()


def provider_at(client: httpx.AsyncClient, url: str) -> SkillBoss:
    """Return the client for an address."""
    return SkillBoss(ProviderHttp(name="skillboss", base_url=url, key=KEY, client=client))


async def accepted(provider: SkillBoss) -> str:
    """Submit and return the handle."""
    submission = await provider.submit(described(REQUEST, OFFER))
    assert isinstance(submission, Pending)
    return submission.handle


@pytest.mark.parametrize(("ratio", "size"), [("1:1", "1024x1024"), ("9:16", "1024x1792"), ("16:9", "1792x1024")])
async def test_submit_sends_documented_request(
    client: httpx.AsyncClient, server: SkillBossServer, ratio: str, size: str
) -> None:
    """Always asynchronous, with a size and without aspect_ratio."""
    request = generation_request(prompt=PROMPT, aspect_ratio=ratio, images=3, format="webp")

    submission = await provider_at(client, server.url).submit(described(request, OFFER))

    assert server.requests[0].body == {
        "model": "reve/text-to-image",
        "async": True,
        "inputs": {"prompt": PROMPT, "size": size, "n": 3, "output_format": "webp"},
    }
    job = server.jobs[0]
    assert submission == Pending(handle=job.id, running=False, record_id=job.record_id)


@pytest.mark.parametrize("resolution", ["4K", None])
async def test_submit_of_nano_banana_pro_sends_its_own_inputs(
    client: httpx.AsyncClient, server: SkillBossServer, resolution: str | None
) -> None:
    inputs = tuple(InputImage(url=f"https://x.example/{at}", provider_url=f"https://cdn.example/{at}") for at in "ab")
    request = generation_request(
        prompt=PROMPT, model="nano-banana-pro", aspect_ratio="3:2", resolution=resolution, inputs=inputs
    )

    submission = await provider_at(client, server.url).submit(described(request, PRO))

    assert server.requests[0].body == {
        "model": "google/gemini-3-pro-image",
        "async": True,
        "inputs": {
            "prompt": PROMPT,
            "image_urls": ["https://cdn.example/a", "https://cdn.example/b"],
            "image_size": resolution or "1K",
            "aspect_ratio": "3:2",
        },
    }
    assert submission == Pending(handle=server.jobs[0].id, running=False, record_id=server.jobs[0].record_id)


async def test_input_without_address_for_providers_is_not_sent(
    client: httpx.AsyncClient, server: SkillBossServer
) -> None:
    request = generation_request(
        prompt=PROMPT, model="nano-banana-pro", inputs=(InputImage(url="https://x.example/a"),)
    )

    with pytest.raises(ProviderError) as caught:
        await provider_at(client, server.url).submit(described(request, PRO))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)
    assert not server.requests


async def test_every_option_of_nano_banana_pro_is_accepted(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    """The strict fake draws each size."""
    for ratio in PRO.abilities["aspect_ratio"]:
        for resolution in PRO.abilities["resolution"]:
            request = generation_request(
                prompt=PROMPT, model="nano-banana-pro", aspect_ratio=ratio, resolution=resolution
            )
            assert isinstance(await provider_at(client, server.url).submit(described(request, PRO)), Pending)

    drawn = server.jobs[-1].request
    assert (drawn.model, drawn.images, drawn.format) == ("google/gemini-3-pro-image", 1, "png")


def test_every_offered_ratio_has_size() -> None:
    """And the reverse."""
    assert set(OFFER.abilities["aspect_ratio"]) == set(SIZES)


async def test_unsupported_ratio_is_refused_before_submit(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    request = generation_request(prompt=PROMPT, aspect_ratio="3:2")

    with pytest.raises(ProviderError) as caught:
        await provider_at(client, server.url).submit(described(request, OFFER))

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)
    assert not server.requests


@pytest.mark.parametrize("body", ["<html>", "", "[]"])
async def test_header_names_job_if_body_is_unusable(client: httpx.AsyncClient, body: str) -> None:
    """Seed: "also returned in the x-request-id response header"."""
    headers = "x-request-id: c546\r\nx-record-id: rec_1\r\n"
    async with RawServer(json_reply(body, "202 Accepted", headers)) as raw:
        submission = await provider_at(client, raw.url).submit(described(REQUEST, OFFER))

    assert submission == Pending(handle="c546", running=False, record_id="rec_1")


async def test_header_names_job_if_body_is_partial(client: httpx.AsyncClient) -> None:
    async with RawServer(b"HTTP/1.1 202 Accepted\r\nx-request-id: c546\r\nContent-Length: 99\r\n\r\n{") as raw:
        submission = await provider_at(client, raw.url).submit(described(REQUEST, OFFER))

    assert submission == Pending(handle="c546", running=False)


@pytest.mark.parametrize("body", ['{"request_id": "c546"}', '{"request_id": "c546", "status": "CANCELLED"}'])
async def test_named_job_without_status_is_pending(client: httpx.AsyncClient, body: str) -> None:
    async with RawServer(json_reply(body)) as raw:
        assert await provider_at(client, raw.url).submit(described(REQUEST, OFFER)) == Pending(
            handle="c546", running=False
        )


async def test_synchronous_answer_is_result(client: httpx.AsyncClient) -> None:
    """Images at the top level without a status (seed.

    First lines of the page).
    """
    async with RawServer(json_reply('{"images": [{"url": "https://cdn.example/a.png"}]}')) as raw:
        submission = await provider_at(client, raw.url).submit(described(REQUEST, OFFER))

    assert submission == Finished(image_urls=("https://cdn.example/a.png",))


async def test_submit_answer_may_be_failure(client: httpx.AsyncClient) -> None:
    """A quoted prompt is not logged."""
    body = '{"request_id": "c546", "status": "FAILED", "error": "no balance for %s"}'
    async with RawServer(json_reply(body % PROMPT)) as raw:
        submission = await provider_at(client, raw.url).submit(described(REQUEST, OFFER))

    assert submission == Failed(kind=FaultKind.ACCOUNT_EMPTY, handle="c546")


async def test_safety_finish_reason_is_content_refusal(client: httpx.AsyncClient) -> None:
    """`finish_reason` explains a completed job without an image."""
    body = '{"status": "COMPLETED", "result": {"generated_images": [], "finish_reason": "IMAGE_SAFETY"}}'
    async with RawServer(json_reply(body)) as raw:
        status = await provider_at(client, raw.url).poll("c546")

    assert status == Failed(kind=FaultKind.CONTENT, detail="IMAGE_SAFETY", handle="c546")


@pytest.mark.parametrize("body", ["{}", "[]", '{"status": 5}'])
async def test_status_answer_without_status_is_malformed(client: httpx.AsyncClient, body: str) -> None:
    async with RawServer(json_reply(body)) as raw:
        with pytest.raises(ProviderError) as caught:
            await provider_at(client, raw.url).poll("c546")

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.MALFORMED, False)


async def test_unknown_status_word_is_logged_once(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    """Without prompt and handle."""
    provider = provider_at(client, server.url)
    handle = await accepted(provider)
    server.faults.add("status", "word", word="TEMPORARILY_OVERLOADED", times=2)
    server.faults.add("status", "word", word="COOLING")
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await provider.poll(handle)

    assert [entry["status"] for entry in logs if entry["log_level"] == "warning"] == ["TEMPORARILY_OVERLOADED", "…"]
    assert PROMPT not in str(logs)
    assert handle not in str(logs)


async def test_addresses_in_answers_are_not_followed(client: httpx.AsyncClient) -> None:
    """status_url and cancel_url may name hosts without a right to the key."""
    async with RawServer(json_reply("{}")) as elsewhere:
        body = '{{"request_id": "c546", "status": "IN_QUEUE", "status_url": "{0}/s", "cancel_url": "{0}/c"}}'
        async with RawServer(json_reply(body.format(elsewhere.url))) as raw:
            provider = provider_at(client, raw.url)
            handle = await accepted(provider)
            await provider.poll(handle)
            await provider.cancel(handle)

    assert not elsewhere.requests
    assert [request.split(b" HTTP", 1)[0] for request in raw.requests] == [
        b"POST /v1/run",
        b"GET /v1/run/status/c546",
        b"POST /v1/run/cancel/c546",
    ]


async def test_explicit_cancel_is_confirmed(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    provider = provider_at(client, server.url)
    handle = await accepted(provider)

    assert await provider.cancel(handle) is CancelOutcome.CANCELLED
    assert await provider.poll(handle) == Cancelled(handle=handle)
    assert await provider.cancel(handle) is CancelOutcome.READ_AGAIN
    assert not server.billed


async def test_started_job_is_not_cancelled(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    """409: it will be billed if it completes."""
    provider = provider_at(client, server.url)
    handle = await accepted(provider)
    server.advance()

    assert await provider.cancel(handle) is CancelOutcome.STARTED


async def test_cancel_without_confirmation_is_undecided(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    """The status decides; likewise without JSON."""
    provider = provider_at(client, server.url)
    handle = await accepted(provider)
    server.faults.add("cancel", "unsaid")
    server.faults.add("cancel", "malformed")

    assert await provider.cancel(handle) is CancelOutcome.READ_AGAIN
    assert await provider.cancel(handle) is CancelOutcome.READ_AGAIN


async def test_cancel_of_unknown_job_is_not_found(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    """404: unknown, or of another account."""
    assert await provider_at(client, server.url).cancel("nothing") is CancelOutcome.UNKNOWN_JOB


async def test_cancel_error_is_raised(client: httpx.AsyncClient, server: SkillBossServer) -> None:
    server.faults.add("cancel", "status", status=500)

    with pytest.raises(ProviderError) as caught:
        await provider_at(client, server.url).cancel("c546")

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.SERVER_ERROR, False)
