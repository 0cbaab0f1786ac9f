"""The contract that every provider keeps, over real sockets against its stand-in."""

import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import CancelOutcome, Failed, Finished, Pending
from sandbox.providers import Endpoint, RecordedRequest
from tests.providers.provider_harness import KEY, ProviderHarness, RawServer
from tests.providers.test_redaction import SPELLINGS

WEBHOOK = "https://studio.example/webhooks/skillboss/Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0"


async def submitted(bench: ProviderHarness) -> Pending:
    """Submit and return the accepted job."""
    submission = await bench.provider.submit(bench.request, bench.offer)
    assert isinstance(submission, Pending)
    return submission


async def fault_of(bench: ProviderHarness, url: str | None = None, **options: Any) -> ProviderError:
    """Return the error that a submit raises."""
    provider = bench.provider if url is None else bench.provider_at(url, **options)
    with pytest.raises(ProviderError) as caught:
        await provider.submit(bench.request, bench.offer)
    return caught.value


async def test_a_job_goes_from_submit_to_its_pictures(bench: ProviderHarness) -> None:
    """A job is accepted, runs, and ends with as many pictures as were asked for."""
    job = await submitted(bench)
    bench.server.advance()
    running = await bench.provider.poll(job.handle)
    bench.server.advance()
    finished = await bench.provider.poll(job.handle)

    assert isinstance(running, Pending)
    assert running.running
    assert isinstance(finished, Finished)
    assert tuple(bench.server.picture_urls(bench.server.jobs[0])) == finished.image_urls
    assert len(finished.image_urls) == 2
    assert job.handle == finished.handle


async def test_an_inline_result_is_taken(bench: ProviderHarness) -> None:
    """A provider that answers with the pictures at once is believed."""
    bench.server.faults.add("submit", "inline")

    finished = await bench.provider.submit(bench.request, bench.offer)

    assert isinstance(finished, Finished)
    assert len(finished.image_urls) == 2
    assert bench.server.jobs[0].id == finished.handle


@pytest.mark.parametrize("shape", ["strings", "objects", "images", "top_level"])
async def test_every_shape_of_a_result_is_read(bench: ProviderHarness, shape: str) -> None:
    """The pictures are found in each of the shapes that the documents show."""
    bench.server.faults.add("submit", "shape", shape=shape)
    job = await submitted(bench)
    bench.server.finish()

    finished = await bench.provider.poll(job.handle)

    assert isinstance(finished, Finished)
    assert tuple(bench.server.picture_urls(bench.server.jobs[0])) == finished.image_urls


async def test_done_without_a_picture_is_a_failure(bench: ProviderHarness) -> None:
    """A job that completes without a picture has failed."""
    bench.server.faults.add("submit", "empty")
    job = await submitted(bench)
    bench.server.finish()

    failed = await bench.provider.poll(job.handle)

    assert isinstance(failed, Failed)
    assert FaultKind.NO_PICTURES is failed.kind


@pytest.mark.parametrize("shape", ["strings", "objects", "images", "top_level"])
@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("vendor", FaultKind.GENERATION),
        ("balance", FaultKind.ACCOUNT_EMPTY),
        ("content", FaultKind.CONTENT),
    ],
)
async def test_a_failed_job_says_why(bench: ProviderHarness, shape: str, reason: str, kind: FaultKind) -> None:
    """The reason of a failure is found wherever it stands, and sorted by what it says."""
    bench.server.faults.add("submit", "shape", shape=shape)
    bench.server.faults.add("submit", "fail", reason=reason)
    job = await submitted(bench)
    bench.server.finish()

    failed = await bench.provider.poll(job.handle)

    assert isinstance(failed, Failed)
    assert kind is failed.kind
    assert bench.server.jobs[0].error == failed.detail


async def test_a_failure_hides_the_key_and_addresses(bench: ProviderHarness) -> None:
    """Whatever a provider says of a failure, neither the key nor an address stays in it."""
    bench.server.faults.add("submit", "fail", reason=f"call to https://vendor.example/x?sig=1 with {KEY} failed\n" * 20)
    job = await submitted(bench)
    bench.server.finish()

    failed = await bench.provider.poll(job.handle)

    assert isinstance(failed, Failed)
    assert KEY not in failed.detail
    assert "vendor.example" not in failed.detail
    assert len(failed.detail) <= 300
    assert "\n" not in failed.detail


async def test_an_unknown_status_word_counts_as_pending(bench: ProviderHarness) -> None:
    """A word that no document lists keeps the job alive."""
    job = await submitted(bench)
    bench.server.faults.add("status", "word", word="WARMING_UP")

    assert Pending(handle=job.handle, running=True, record_id=job.record_id) == await bench.provider.poll(job.handle)


@pytest.mark.parametrize("in_envelope", [False, True])
@pytest.mark.parametrize(
    ("status", "kind", "maybe_accepted"),
    [
        (400, FaultKind.INVALID, False),
        (401, FaultKind.KEY_REJECTED, False),
        (402, FaultKind.ACCOUNT_EMPTY, False),
        (403, FaultKind.KEY_REJECTED, False),
        (404, FaultKind.NOT_FOUND, False),
        (409, FaultKind.INVALID, True),
        (422, FaultKind.INVALID, False),
        (429, FaultKind.RATE_LIMITED, False),
        (500, FaultKind.SERVER_ERROR, False),
        (502, FaultKind.SERVER_ERROR, True),
        (503, FaultKind.UNAVAILABLE, False),
        (504, FaultKind.SERVER_ERROR, True),
        (524, FaultKind.SERVER_ERROR, True),
    ],
)
async def test_each_status_to_a_submit_is_sorted(
    bench: ProviderHarness, status: int, kind: FaultKind, *, maybe_accepted: bool, in_envelope: bool
) -> None:
    """A refusal is known by its status, or by the envelope's code; only documented ones surely took nothing."""
    bench.server.faults.add("submit", "status", status=status, message="because", in_envelope=in_envelope)

    fault = await fault_of(bench)

    assert (kind, maybe_accepted, status) == (fault.kind, fault.maybe_accepted, fault.status)
    assert fault.detail == "because"
    assert bench.case.name == fault.provider
    assert not bench.server.jobs


async def test_a_submit_is_sent_once_whatever_comes_back(bench: ProviderHarness) -> None:
    """Nothing here repeats a paid call."""
    for status in (429, 500, 503):
        bench.server.faults.add("submit", "status", status=status)
        await fault_of(bench)
    bench.server.faults.add("submit", "reset_after")
    await fault_of(bench)

    assert len(bench.server.requests) == 4
    assert len(bench.server.jobs) == 1


async def test_the_wait_that_was_asked_for_is_passed_on(bench: ProviderHarness) -> None:
    """Retry-After reaches whoever plans the next try."""
    bench.server.faults.add("submit", "status", status=429, retry_after="17")

    assert (await fault_of(bench)).retry_after == 17.0


async def test_a_refusal_for_content_is_not_the_operators_fault(bench: ProviderHarness) -> None:
    """A 400 or 403 that names the content policy is about the prompt, not about the key or the request."""
    for status in (400, 403, 422):
        bench.server.faults.add("submit", "status", status=status, message="blocked by our content policy")

        assert FaultKind.CONTENT is (await fault_of(bench)).kind


async def test_a_refusal_that_quotes_the_prompt_is_not_judged_by_it(bench: ProviderHarness) -> None:
    """A prompt about safety does not make a bad parameter a refusal of content, and does not reach the log."""
    bench.server.faults.add("submit", "status", status=400, message=f"bad size for: {bench.request.prompt}")

    fault = await fault_of(bench)

    assert FaultKind.INVALID is fault.kind
    assert fault.detail == "bad size for: [hidden]"


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
async def test_a_quoted_prompt_is_in_no_detail(bench: ProviderHarness, spelling: Callable[[str], str]) -> None:
    """Neither a refused submit, nor a failed job, nor a faulty status brings the prompt to the log, cut or escaped."""
    quoted = f"cannot draw {spelling(bench.request.prompt)} {spelling(bench.request.prompt[5:30])}"
    bench.server.faults.add("submit", "status", status=400, message=quoted)
    refused = await fault_of(bench)
    bench.server.faults.add("submit", "fail", reason=quoted)
    job = await submitted(bench)
    bench.server.faults.add("status", "status", status=500, message=quoted)
    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll(job.handle, hide=(bench.request.prompt,))
    bench.server.finish()
    failed = await bench.provider.poll(job.handle, hide=(bench.request.prompt,))

    assert isinstance(failed, Failed)
    for detail in (refused.detail, caught.value.detail, failed.detail):
        assert detail.startswith("cannot draw ")
        assert "[hidden]" in detail
        assert not {"lighthouse", "lamp", "moon"} & set(re.findall("[a-z]+", detail.lower()))


async def test_an_unknown_status_word_that_quotes_the_prompt_is_not_logged(bench: ProviderHarness) -> None:
    """Even where a word is expected there may be a sentence."""
    job = await submitted(bench)
    bench.server.faults.add("status", "word", word=bench.request.prompt)
    with structlog.testing.capture_logs() as logs:
        await bench.provider.poll(job.handle, hide=(bench.request.prompt,))

    assert [entry["status"] for entry in logs] == ["[hidden]"]


async def test_the_fault_of_a_cancel_has_no_words(bench: ProviderHarness) -> None:
    """Whoever cancels does not say what to hide, so nothing of the provider's answer is kept."""
    job = await submitted(bench)
    bench.server.faults.add("cancel", "status", status=500, message=bench.request.prompt)
    if bench.case.name == "reve2img":
        assert CancelOutcome.UNSUPPORTED is await bench.provider.cancel(job.handle)
        return
    with pytest.raises(ProviderError) as caught:
        await bench.provider.cancel(job.handle)

    assert (caught.value.kind, caught.value.detail) == (FaultKind.SERVER_ERROR, "")


async def test_a_webhook_is_asked_for_where_there_are_any(bench: ProviderHarness) -> None:
    """The address of a submit reaches the providers that take webhooks, and no others."""
    await bench.provider.submit(bench.request, bench.offer, webhook_url=WEBHOOK)
    sent = bench.server.requests[0].body

    assert (WEBHOOK if bench.provider.takes_webhooks else None) == sent.get("webhook_url")
    assert (bench.case.name == "skillboss") is bench.provider.takes_webhooks


async def test_the_webhooks_token_is_in_no_detail(bench: ProviderHarness) -> None:
    """An answer that quotes the webhook's address, whole or in pieces, does not bring its token to the log."""
    token = WEBHOOK.rpartition("/")[2]
    escaped = WEBHOOK.replace("/", "\\/")
    for quoted in (WEBHOOK, escaped, token, f"token={token[3:30]}, bad"):
        bench.server.faults.add("submit", "status", status=400, message=f"no public address: {quoted}")
        with pytest.raises(ProviderError) as caught:
            await bench.provider.submit(bench.request, bench.offer, webhook_url=WEBHOOK)

        if bench.provider.takes_webhooks or quoted != f"token={token[3:30]}, bad":
            assert token[5:20] not in caught.value.detail


async def test_a_webhooks_body_names_a_job_at_most(bench: ProviderHarness) -> None:
    """Bodies of either end name the job; whatever else is posted, the handle is None and nothing raises."""
    ok = {"request_id": "c546", "status": "OK", "payload": {"generated_images": [{"url": "https://x/y"}]}}
    error = {"request_id": "c546", "status": "ERROR", "payload": None, "error": "no"}
    named = "c546" if bench.provider.takes_webhooks else None

    assert [named] * 2 == [bench.provider.parse_webhook(body) for body in (ok, error)]
    for body in (None, True, 5, "c546", [ok], {}, {"request_id": None}, {"request_id": ["c546"]}, {"request_id": ""}):
        assert bench.provider.parse_webhook(body) is None
    for handle in ("..", "x" * 201, "a\nb", "ü"):
        assert bench.provider.parse_webhook({"request_id": handle}) is None


async def test_nobody_listening_is_surely_not_accepted(bench: ProviderHarness) -> None:
    """A refused connection took nothing."""
    await bench.server.close()

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_a_name_that_does_not_resolve_is_surely_not_accepted(bench: ProviderHarness) -> None:
    """A host that does not exist took nothing."""
    fault = await fault_of(bench, "http://nowhere.invalid")

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
async def test_a_reset_after_sending_is_a_lost_reply(bench: ProviderHarness, kind: str) -> None:
    """A connection that breaks after the request went out may have delivered it: nobody can tell from here."""
    bench.server.faults.add("submit", kind)

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)
    assert len(bench.server.jobs) == (1 if kind == "reset_after" else 0)


async def test_silence_after_sending_is_a_lost_reply(bench: ProviderHarness) -> None:
    """A read that times out may belong to an accepted job."""
    async with RawServer(b"", silent=True) as server:
        fault = await fault_of(bench, server.url, submit_read_timeout=0.05)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)


async def test_hanging_up_after_sending_is_a_lost_reply(bench: ProviderHarness) -> None:
    """A server that closes without a word may have accepted the job."""
    async with RawServer(b"") as server:
        fault = await fault_of(bench, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)
    assert len(server.requests) == 1


async def test_half_an_answer_is_a_lost_reply(bench: ProviderHarness) -> None:
    """An answer that breaks off in its body may belong to an accepted job."""
    async with RawServer(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"request_id"') as server:
        fault = await fault_of(bench, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)


@pytest.mark.parametrize(
    "reply",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"[" * 20_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b" " * 9_000_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["no-http", "empty", "list", "null", "object", "no-gzip", "no-chunk", "deep", "huge", "redirect"],
)
async def test_an_answer_that_the_contract_does_not_know_may_be_an_acceptance(
    bench: ProviderHarness, reply: bytes
) -> None:
    """An answer that makes no sense is a fault of its own kind, after which a submit is not repeated."""
    async with RawServer(reply) as server:
        fault = await fault_of(bench, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)


async def test_a_broken_page_after_an_accepted_job_is_malformed(bench: ProviderHarness) -> None:
    """The stand-in's half page, sent in the place of an answer, counts as perhaps accepted: and it was."""
    bench.server.faults.add("submit", "malformed")

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)
    assert len(bench.server.jobs) == 1


@pytest.mark.parametrize("kind", ["reset_before", "malformed", "status"])
async def test_a_fault_of_a_poll_never_speaks_of_acceptance(bench: ProviderHarness, kind: str) -> None:
    """Reading a status is free, so its faults are all alike: try again."""
    job = await submitted(bench)
    # A read on a connection that breaks is repeated once by the transport, on a new one.
    bench.server.faults.add("status", kind, times=2)

    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll(job.handle)

    assert not caught.value.maybe_accepted


async def test_a_job_that_the_provider_does_not_know_is_not_found(bench: ProviderHarness) -> None:
    """A handle that is unknown, or forgotten after seven days, is a fault of its own kind."""
    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll("no such job")

    assert FaultKind.NOT_FOUND is caught.value.kind


async def test_a_handle_is_never_more_than_a_name(bench: ProviderHarness) -> None:
    """A handle with slashes and marks stays inside its place in the address."""
    handle = "../../v1/run?x=1#y&task_id=2"

    with pytest.raises(ProviderError):
        await bench.provider.poll(handle)

    seen: RecordedRequest = bench.server.requests[-1]
    assert Endpoint.STATUS is seen.endpoint
    assert handle in (seen.path.removeprefix("/v1/run/status/"), seen.query.get("task_id"))


async def test_a_cancel_is_believed_only_when_it_was_said(bench: ProviderHarness) -> None:
    """A waiting job is cancelled where the provider knows cancelling; elsewhere nothing is sent."""
    job = await submitted(bench)

    outcome = await bench.provider.cancel(job.handle)

    if bench.case.name == "skillboss":
        assert CancelOutcome.CANCELLED is outcome
    else:
        assert CancelOutcome.UNSUPPORTED is outcome
        assert len(bench.server.requests) == 1


async def test_the_key_goes_to_the_api_and_nowhere_else(bench: ProviderHarness) -> None:
    """A redirect is not followed, so the key never reaches the address it names."""
    async with RawServer(b"") as elsewhere:
        reply = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
        async with RawServer(reply.encode()) as server:
            await fault_of(bench, server.url)

    assert f"Bearer {KEY}".encode() in server.requests[0]
    assert not elsewhere.requests


async def test_the_key_is_in_no_text(bench: ProviderHarness) -> None:
    """Neither a repr nor an error with all that hangs on it shows the key."""
    bench.server.faults.add("submit", "status", status=401, message=f"bad key {KEY}")
    refused = await fault_of(bench)
    bench.server.faults.add("submit", "reset_after")
    lost = await fault_of(bench)

    for error in (refused, lost):
        assert KEY not in str(error)
        assert KEY not in "".join(traceback.format_exception(error))
        assert error.__context__ is None
    assert KEY not in repr(bench.provider)


async def test_the_wrong_key_is_rejected(bench: ProviderHarness) -> None:
    """The stand-in knows keys, and its refusal is understood."""
    bench.server._keys = frozenset({"another"})

    assert FaultKind.KEY_REJECTED is (await fault_of(bench)).kind


async def test_an_empty_account_is_told_apart(bench: ProviderHarness) -> None:
    """A 402 means that the operator's account there is empty."""
    bench.server.store.balance = 5

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.ACCOUNT_EMPTY, False)
