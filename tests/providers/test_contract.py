"""The contract of every provider, over real sockets with its fake."""

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import CancelOutcome, Failed, Finished, Pending
from sandbox.providers import Endpoint, RecordedRequest
from tests.providers.provider_harness import KEY, ProviderHarness, RawServer
from tests.providers.test_redaction import SPELLINGS
from tests.support.submissions import submission as described

WEBHOOK = "https://studio.example/webhooks/skillboss/Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0"


async def submitted(bench: ProviderHarness) -> Pending:
    """Submit and return the accepted job."""
    submission = await bench.provider.submit(described(bench.request, bench.offer))
    assert isinstance(submission, Pending)
    return submission


async def fault_of(bench: ProviderHarness, url: str | None = None, **options: Any) -> ProviderError:
    """Return the error of a submit."""
    provider = bench.provider if url is None else bench.provider_at(url, **options)
    with pytest.raises(ProviderError) as caught:
        await provider.submit(described(bench.request, bench.offer))
    return caught.value


async def test_job_is_submitted_and_returns_requested_images(bench: ProviderHarness) -> None:
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


async def test_synchronous_result_is_accepted(bench: ProviderHarness) -> None:
    bench.server.faults.add("submit", "inline")

    finished = await bench.provider.submit(described(bench.request, bench.offer))

    assert isinstance(finished, Finished)
    assert len(finished.image_urls) == 2
    assert bench.server.jobs[0].id == finished.handle


def debug_words(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the providers' reasons in the log, which are at DEBUG."""
    reasons = [entry for entry in logs if entry["event"] == "provider.reason"]
    assert {entry["log_level"] for entry in reasons} <= {"debug"}
    return [entry["words"] for entry in reasons]


@pytest.mark.parametrize("shape", ["strings", "objects", "images", "top_level"])
async def test_every_result_form_is_parsed(bench: ProviderHarness, shape: str) -> None:
    """All documented forms."""
    bench.server.faults.add("submit", "shape", shape=shape)
    job = await submitted(bench)
    bench.server.finish()

    finished = await bench.provider.poll(job.handle)

    assert isinstance(finished, Finished)
    assert tuple(bench.server.picture_urls(bench.server.jobs[0])) == finished.image_urls


async def test_completed_job_without_image_is_failed(bench: ProviderHarness) -> None:
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
async def test_failure_reason_is_found_and_classified(
    bench: ProviderHarness, shape: str, reason: str, kind: FaultKind
) -> None:
    """Wherever the reason stands."""
    bench.server.faults.add("submit", "shape", shape=shape)
    bench.server.faults.add("submit", "fail", reason=reason)
    job = await submitted(bench)
    bench.server.finish()

    with structlog.testing.capture_logs() as logs:
        failed = await bench.provider.poll(job.handle)

    assert isinstance(failed, Failed)
    assert (kind, "") == (failed.kind, failed.detail)
    assert (
        debug_words(logs)[-1]
        == {
            "vendor": "upstream vendor error … model … not return … result",
            "balance": "insufficient balance … wallet",
            "content": "… request … rejected … safety system content policy violation",
        }[reason]
    )


async def test_failure_detail_contains_no_key_or_address(bench: ProviderHarness) -> None:
    bench.server.faults.add("submit", "fail", reason=f"call to https://vendor.example/x?sig=1 with {KEY} failed\n" * 20)
    job = await submitted(bench)
    bench.server.finish()

    with structlog.testing.capture_logs() as logs:
        failed = await bench.provider.poll(job.handle)

    assert isinstance(failed, Failed)
    for detail in (failed.detail, *debug_words(logs)):
        assert KEY not in detail
        assert "vendor.example" not in detail
        assert len(detail) <= 300
        assert "\n" not in detail


async def test_unknown_status_word_is_pending(bench: ProviderHarness) -> None:
    """The job stays alive."""
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
        (404, FaultKind.MODEL_UNAVAILABLE, False),
        (409, FaultKind.INVALID, True),
        (410, FaultKind.MODEL_UNAVAILABLE, False),
        (422, FaultKind.INVALID, False),
        (429, FaultKind.RATE_LIMITED, False),
        (500, FaultKind.SERVER_ERROR, False),
        (502, FaultKind.SERVER_ERROR, True),
        (503, FaultKind.UNAVAILABLE, False),
        (504, FaultKind.SERVER_ERROR, True),
        (524, FaultKind.SERVER_ERROR, True),
    ],
)
async def test_submit_status_is_classified(
    bench: ProviderHarness, status: int, kind: FaultKind, *, maybe_accepted: bool, in_envelope: bool
) -> None:
    """By status or envelope code; only documented refusals are certain."""
    bench.server.faults.add(
        "submit", "status", status=status, message="because of a wrong parameter", in_envelope=in_envelope
    )

    with structlog.testing.capture_logs() as logs:
        fault = await fault_of(bench)

    assert (kind, maybe_accepted, status) == (fault.kind, fault.maybe_accepted, fault.status)
    assert [words.split(": ")[-1] for words in debug_words(logs)] == ["… wrong parameter"]
    assert "wrong" not in fault.detail
    assert bench.case.name == fault.provider
    assert not bench.server.jobs


@pytest.mark.parametrize("in_envelope", [False, True])
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Unknown model", FaultKind.MODEL_UNAVAILABLE),
        ("webhook_url is not public", FaultKind.WEBHOOK_REFUSED),
        ("Could not download image", FaultKind.INPUT_NOT_FETCHED),
    ],
)
async def test_refused_submit_is_classified_by_words(
    bench: ProviderHarness, message: str, kind: FaultKind, *, in_envelope: bool
) -> None:
    bench.server.faults.add("submit", "status", status=400, message=message, in_envelope=in_envelope)

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (kind, False)


async def test_words_leave_status_of_a_conflict_uncertain(bench: ProviderHarness) -> None:
    bench.server.faults.add("submit", "status", status=409, message="Unknown model")

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.INVALID, True)


async def test_submit_is_never_repeated(bench: ProviderHarness) -> None:
    for status in (429, 500, 503):
        bench.server.faults.add("submit", "status", status=status)
        await fault_of(bench)
    bench.server.faults.add("submit", "reset_after")
    await fault_of(bench)

    assert len(bench.server.requests) == 4
    assert len(bench.server.jobs) == 1


async def test_retry_after_is_passed_on(bench: ProviderHarness) -> None:
    bench.server.faults.add("submit", "status", status=429, retry_after="17")

    assert (await fault_of(bench)).retry_after == 17.0


async def test_content_refusal_is_classified_as_content(bench: ProviderHarness) -> None:
    """A 400 or 403 with the content policy concerns the prompt."""
    for status in (400, 403, 422):
        bench.server.faults.add("submit", "status", status=status, message="blocked by our content policy")

        assert FaultKind.CONTENT is (await fault_of(bench)).kind


async def test_quoted_prompt_does_not_affect_classification(bench: ProviderHarness) -> None:
    """A prompt about safety makes no content refusal, and is not logged."""
    bench.server.faults.add("submit", "status", status=400, message=f"bad size for: {bench.request.prompt}")

    with structlog.testing.capture_logs() as logs:
        fault = await fault_of(bench)

    assert FaultKind.INVALID is fault.kind
    assert [words.split(": ")[-1] for words in debug_words(logs)] == ["bad size …"]


async def test_prompt_about_content_decides_no_classification(bench: ProviderHarness) -> None:
    """Quoted or not; a 403 that may concern the prompt does not blame the key."""
    request = replace(bench.request, prompt="NSFW content-policy poster")
    kinds = []
    for status, message in (
        (400, f"bad size for: {request.prompt}"),
        (422, "NSFW CONTENT-POLICY"),
        (403, "blocked by our content policy"),
        (403, "blocked by our safety filter"),
        (403, "no such key"),
    ):
        bench.server.faults.add("submit", "status", status=status, message=message)
        with pytest.raises(ProviderError) as caught:
            await bench.provider.submit(described(request, bench.offer))
        kinds.append(caught.value.kind)

    assert kinds == [*[FaultKind.INVALID] * 3, FaultKind.CONTENT, FaultKind.KEY_REJECTED]


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
async def test_error_detail_contains_no_prompt(bench: ProviderHarness, spelling: Callable[[str], str]) -> None:
    """After a refused submit, a failed job or a faulty status, cut or escaped."""
    quoted = f"cannot draw {spelling(bench.request.prompt)} {spelling(bench.request.prompt[5:30])}"
    with structlog.testing.capture_logs() as logs:
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
    words = debug_words(logs)
    assert len(words) == 3
    assert all(each.split(": ")[-1].startswith("cannot …") for each in words)
    for detail in (*words, refused.detail, caught.value.detail, failed.detail):
        assert not {"lighthouse", "lamp", "moon"} & set(re.findall("[a-z]+", detail.lower()))


async def test_unknown_status_word_with_prompt_is_not_logged(bench: ProviderHarness) -> None:
    job = await submitted(bench)
    bench.server.faults.add("status", "word", word=bench.request.prompt)
    with structlog.testing.capture_logs() as logs:
        await bench.provider.poll(job.handle, hide=(bench.request.prompt,))

    assert [entry["status"] for entry in logs if entry["log_level"] == "warning"] == ["…"]
    assert not {"lighthouse", "lamp", "moon"} & set(re.findall("[a-z]+", str(logs).lower()))


async def test_word_of_provider_is_logged_at_debug_only(bench: ProviderHarness) -> None:
    """A failed job, a refused submit and an unknown status."""
    with structlog.testing.capture_logs() as logs:
        bench.server.faults.add("submit", "status", status=400, message="wallet quota")
        fault = await fault_of(bench)
        bench.server.faults.add("submit", "fail", reason="wallet quota")
        job = await submitted(bench)
        bench.server.faults.add("status", "word", word="wallet quota")
        await bench.provider.poll(job.handle)
        bench.server.finish()
        failed = await bench.provider.poll(job.handle)

    assert isinstance(failed, Failed)
    assert len([entry for entry in logs if "wallet quota" in entry.get("words", "")]) == 3
    shown = [entry for entry in logs if entry["log_level"] != "debug"]
    assert "wallet" not in f"{shown} {fault.detail} {failed.detail}"


async def test_cancel_error_has_no_detail(bench: ProviderHarness) -> None:
    """The prompt is unknown there, so nothing of the answer is kept."""
    job = await submitted(bench)
    bench.server.faults.add("cancel", "status", status=500, message=bench.request.prompt)
    if bench.case.name == "reve2img":
        assert CancelOutcome.UNSUPPORTED is await bench.provider.cancel(job.handle)
        return
    with pytest.raises(ProviderError) as caught:
        await bench.provider.cancel(job.handle)

    assert (caught.value.kind, caught.value.detail) == (FaultKind.SERVER_ERROR, "")


async def test_webhook_url_is_sent_if_supported(bench: ProviderHarness) -> None:
    await bench.provider.submit(described(bench.request, bench.offer, webhook_url=WEBHOOK))
    sent = bench.server.requests[0].body

    assert (WEBHOOK if bench.provider.takes_webhooks else None) == sent.get("webhook_url")
    assert (bench.case.name == "skillboss") is bench.provider.takes_webhooks


async def test_error_detail_contains_no_webhook_token(bench: ProviderHarness) -> None:
    """Quoted whole or in pieces."""
    token = WEBHOOK.rpartition("/")[2]
    escaped = WEBHOOK.replace("/", "\\/")
    for quoted in (WEBHOOK, escaped, token, f"token={token[3:30]}, bad"):
        bench.server.faults.add("submit", "status", status=400, message=f"no public address: {quoted}")
        with pytest.raises(ProviderError) as caught:
            await bench.provider.submit(described(bench.request, bench.offer, webhook_url=WEBHOOK))

        if bench.provider.takes_webhooks or quoted != f"token={token[3:30]}, bad":
            assert token[5:20] not in caught.value.detail


async def test_webhook_body_yields_handle_or_none(bench: ProviderHarness) -> None:
    """Any other body gives None and raises nothing."""
    ok = {"request_id": "c546", "status": "OK", "payload": {"generated_images": [{"url": "https://x/y"}]}}
    error = {"request_id": "c546", "status": "ERROR", "payload": None, "error": "no"}
    named = "c546" if bench.provider.takes_webhooks else None

    assert [named] * 2 == [bench.provider.parse_webhook(body) for body in (ok, error)]
    for body in (None, True, 5, "c546", [ok], {}, {"request_id": None}, {"request_id": ["c546"]}, {"request_id": ""}):
        assert bench.provider.parse_webhook(body) is None
    for handle in ("..", "x" * 201, "a\nb", "ü"):
        assert bench.provider.parse_webhook({"request_id": handle}) is None


async def test_refused_connection_is_certainly_not_accepted(bench: ProviderHarness) -> None:
    await bench.server.close()

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_unresolvable_host_is_certainly_not_accepted(bench: ProviderHarness) -> None:
    fault = await fault_of(bench, "http://nowhere.invalid")

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
async def test_reset_after_sending_is_lost_reply(bench: ProviderHarness, kind: str) -> None:
    """The provider may have accepted the request."""
    bench.server.faults.add("submit", kind)

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)
    assert len(bench.server.jobs) == (1 if kind == "reset_after" else 0)


async def test_read_timeout_is_lost_reply(bench: ProviderHarness) -> None:
    async with RawServer(b"", silent=True) as server:
        fault = await fault_of(bench, server.url, submit_read_timeout=0.05)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)


async def test_close_without_answer_is_lost_reply(bench: ProviderHarness) -> None:
    async with RawServer(b"") as server:
        fault = await fault_of(bench, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)
    assert len(server.requests) == 1


async def test_partial_answer_is_lost_reply(bench: ProviderHarness) -> None:
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
async def test_malformed_answer_may_be_accepted(bench: ProviderHarness, reply: bytes) -> None:
    """A submit is not repeated after it."""
    async with RawServer(reply) as server:
        fault = await fault_of(bench, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)


async def test_broken_answer_to_accepted_job_may_be_accepted(bench: ProviderHarness) -> None:
    """The fake did accept the job."""
    bench.server.faults.add("submit", "malformed")

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)
    assert len(bench.server.jobs) == 1


@pytest.mark.parametrize("kind", ["reset_before", "malformed", "status"])
async def test_poll_error_is_never_maybe_accepted(bench: ProviderHarness, kind: str) -> None:
    """Polls are free: all faults are retried."""
    job = await submitted(bench)
    # A read on a connection that breaks is repeated once by the transport, on a new one.
    bench.server.faults.add("status", kind, times=2)

    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll(job.handle)

    assert not caught.value.maybe_accepted


async def test_unknown_handle_is_not_found(bench: ProviderHarness) -> None:
    """Unknown, or forgotten after seven days."""
    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll("no such job")

    assert FaultKind.NOT_FOUND is caught.value.kind


async def test_handle_is_escaped_in_address(bench: ProviderHarness) -> None:
    """Slashes and marks stay inside the path segment."""
    handle = "../../v1/run?x=1#y&task_id=2"

    with pytest.raises(ProviderError):
        await bench.provider.poll(handle)

    seen: RecordedRequest = bench.server.requests[-1]
    assert Endpoint.STATUS is seen.endpoint
    assert handle in (seen.path.removeprefix("/v1/run/status/"), seen.query.get("task_id"))


async def test_cancel_needs_explicit_confirmation(bench: ProviderHarness) -> None:
    """Providers without cancel get no request."""
    job = await submitted(bench)

    outcome = await bench.provider.cancel(job.handle)

    if bench.case.name == "skillboss":
        assert CancelOutcome.CANCELLED is outcome
    else:
        assert CancelOutcome.UNSUPPORTED is outcome
        assert len(bench.server.requests) == 1


async def test_key_is_sent_to_configured_host_only(bench: ProviderHarness) -> None:
    """A redirect is not followed."""
    async with RawServer(b"") as elsewhere:
        reply = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
        async with RawServer(reply.encode()) as server:
            await fault_of(bench, server.url)

    assert f"Bearer {KEY}".encode() in server.requests[0]
    assert not elsewhere.requests


async def test_key_is_in_no_text(bench: ProviderHarness) -> None:
    """Neither repr nor error chain."""
    bench.server.faults.add("submit", "status", status=401, message=f"bad key {KEY}")
    refused = await fault_of(bench)
    bench.server.faults.add("submit", "reset_after")
    lost = await fault_of(bench)

    for error in (refused, lost):
        assert KEY not in str(error)
        assert KEY not in "".join(traceback.format_exception(error))
        assert error.__context__ is None
    assert KEY not in repr(bench.provider)


async def test_wrong_key_is_rejected(bench: ProviderHarness) -> None:
    bench.server._keys = frozenset({"another"})

    assert FaultKind.KEY_REJECTED is (await fault_of(bench)).kind


async def test_empty_account_is_classified(bench: ProviderHarness) -> None:
    """402: the operator's account is empty."""
    bench.server.store.balance = 5

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.ACCOUNT_EMPTY, False)
