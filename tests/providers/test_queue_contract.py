"""The contract of queues with signed webhooks, over real sockets."""

import re
import traceback
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import Failed, Finished, Pending
from tests.providers.provider_harness import KEY, PROMPT, RawServer
from tests.providers.queue_harness import BFL, FAL, WEBHOOK, QueueCase, QueueHarness

CASES = (FAL, BFL)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
async def bench(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> AsyncIterator[QueueHarness]:
    """Yield each provider with its fake."""
    case: QueueCase = request.param
    server = case.server()
    await server.start()
    provider = case.provider_at(server.url, client, case.arguments(server))
    yield QueueHarness(case=case, server=server, provider=provider, client=client)
    await server.close()


async def fault_of(bench: QueueHarness, url: str | None = None, **timeouts: float) -> ProviderError:
    """Return the error of a submit."""
    provider = bench.provider if url is None else bench.provider_at(url, **timeouts)
    with pytest.raises(ProviderError) as caught:
        await provider.submit(bench.call())
    return caught.value


async def test_job_goes_from_queue_to_pictures(bench: QueueHarness) -> None:
    job = await bench.submitted()
    waiting = await bench.provider.poll(job.handle)
    bench.server.advance()
    running = await bench.provider.poll(job.handle)
    bench.server.advance()
    finished = await bench.provider.poll(job.handle)

    assert isinstance(waiting, Pending)
    assert not waiting.running
    assert isinstance(running, Pending)
    assert running.running
    assert isinstance(finished, Finished)
    assert list(finished.image_urls) == bench.server.picture_urls(bench.server.jobs[0])
    assert finished.handle == job.handle
    assert len(bench.server.billed) == 1


async def test_handle_is_short_printable_and_survives_a_restart(bench: QueueHarness) -> None:
    job = await bench.submitted()
    bench.server.finish()

    assert re.fullmatch("[!-~]{1,200}", job.handle)
    assert isinstance(await bench.provider_at(bench.server.url).poll(job.handle), Finished)


async def test_job_without_pictures_is_failed(bench: QueueHarness) -> None:
    bench.server.faults.play("nothing")
    job = await bench.submitted()
    bench.server.finish()

    answer = await bench.provider.poll(job.handle)

    assert isinstance(answer, Failed)
    assert answer.kind is FaultKind.NO_PICTURES


@pytest.mark.parametrize(
    ("case", "kind", "maybe_accepted"),
    [
        ("account_empty", FaultKind.ACCOUNT_EMPTY, False),
        ("key_refused", FaultKind.KEY_REJECTED, False),
        ("rate_limited", FaultKind.RATE_LIMITED, False),
        ("model_retired", FaultKind.MODEL_UNAVAILABLE, False),
        ("bad_request", FaultKind.INVALID, False),
        ("server_error", FaultKind.SERVER_ERROR, True),
        ("reply_lost", FaultKind.REPLY_LOST, True),
        ("reply_half", FaultKind.REPLY_LOST, True),
    ],
)
async def test_refused_or_lost_submit_is_classified(
    bench: QueueHarness, case: str, kind: FaultKind, *, maybe_accepted: bool
) -> None:
    bench.server.faults.play(case)

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (kind, maybe_accepted)
    assert len(bench.server.requests) == 1
    assert len(bench.server.jobs) == (1 if case.startswith("reply_") else 0)


async def test_wait_of_a_refusal_is_passed_on(bench: QueueHarness) -> None:
    bench.server.faults.add("submit", "status", status=429, retry_after="17")

    assert (await fault_of(bench)).retry_after == 17.0


async def test_refused_connection_is_certainly_not_accepted(bench: QueueHarness) -> None:
    await bench.server.close()

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_silence_is_a_lost_reply(bench: QueueHarness) -> None:
    async with RawServer(b"", silent=True) as server:
        fault = await fault_of(bench, server.url, submit_read_timeout=0.05)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)


@pytest.mark.parametrize(
    "reply",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["no-http", "empty", "list", "object", "redirect"],
)
async def test_malformed_answer_may_be_accepted(bench: QueueHarness, reply: bytes) -> None:
    async with RawServer(reply) as server:
        fault = await fault_of(bench, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["reset_before", "malformed", "status"])
async def test_fault_of_a_poll_is_never_maybe_accepted(bench: QueueHarness, kind: str) -> None:
    job = await bench.submitted()
    # A read on a connection that breaks is repeated once by the transport, on a new one.
    bench.server.faults.add("status", kind, times=2)

    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll(job.handle)

    assert not caught.value.maybe_accepted


@pytest.mark.parametrize(
    "handle", ["no such job", "../../v1/x?y", "https://evil.example/v1/get_result?id=1", "a/b", ""]
)
async def test_strange_handle_is_not_found_and_sends_nothing(bench: QueueHarness, handle: str) -> None:
    for read in (bench.provider.poll, bench.provider.cancel):
        try:
            await read(handle)
        except ProviderError as error:
            assert error.kind is FaultKind.NOT_FOUND  # noqa: PT017 - a provider without cancels raises nothing

    assert not bench.server.requests


async def test_unknown_status_word_is_pending(bench: QueueHarness) -> None:
    job = await bench.submitted()
    bench.server.faults.add("status", "word", word=PROMPT)

    with structlog.testing.capture_logs() as logs:
        answer = await bench.provider.poll(job.handle, hide=(PROMPT,))

    assert isinstance(answer, Pending)
    assert [entry["status"] for entry in logs if entry["log_level"] == "warning"] == ["…"]


async def test_quoted_prompt_is_in_no_log_and_no_error(bench: QueueHarness) -> None:
    with structlog.testing.capture_logs() as logs:
        bench.server.faults.add("submit", "status", status=400, message=f"bad size for {PROMPT}")
        refused = await fault_of(bench)
        bench.server.faults.play("refused_input")
        job = await bench.submitted()
        bench.server.finish()
        failed = await bench.provider.poll(job.handle, hide=(PROMPT,))

    assert isinstance(failed, Failed)
    assert refused.kind is FaultKind.INVALID
    words = f"{logs} {refused.detail} {failed.detail}".lower()
    assert not {"lighthouse", "lamp", "moon"} & set(re.findall("[a-z]+", words))


async def test_webhook_token_is_in_no_error(bench: QueueHarness) -> None:
    token = WEBHOOK.rpartition("/")[2]
    for quoted in (WEBHOOK, WEBHOOK.replace("/", "\\/"), token):
        bench.server.faults.add("submit", "status", status=400, message=f"no public address: {quoted}")
        with structlog.testing.capture_logs() as logs, pytest.raises(ProviderError) as caught:
            await bench.provider.submit(bench.call(webhook_url=WEBHOOK))

        assert token[5:20] not in f"{caught.value.detail} {logs}"


async def test_key_goes_to_the_configured_host_alone(bench: QueueHarness) -> None:
    """A redirect is not followed."""
    async with RawServer(b"") as elsewhere:
        reply = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
        async with RawServer(reply.encode()) as server:
            await fault_of(bench, server.url)

    assert KEY.encode() in server.requests[0]
    assert not elsewhere.requests


async def test_key_is_in_no_text(bench: QueueHarness) -> None:
    bench.server.faults.add("submit", "status", status=401, message=f"bad key {KEY}")
    refused = await fault_of(bench)
    bench.server.faults.add("submit", "reset_after")
    lost = await fault_of(bench)

    for error in (refused, lost):
        assert KEY not in "".join(traceback.format_exception(error))
        assert error.__context__ is None
    assert KEY not in repr(bench.provider)


async def test_forged_webhook_is_rejected(bench: QueueHarness) -> None:
    for headers in ({}, {"X-BFL-Signature": "sha256=00"}, {"X-Fal-Webhook-Signature": "00"}):
        assert not await bench.provider.verify_webhook(WEBHOOK, headers, b"{}")
