"""Faults of OpenAI's Images API and its relatives, by profile."""

from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
import structlog

from bot.domain.costs import CostSource, usd
from bot.domain.errors import FaultKind
from bot.providers.base import Failed
from bot.providers.openai_images.errors import duration, kind_of, wait_of
from sandbox.providers import OpenAiImagesServer
from tests.providers.openai_support import AT_ONCE, KEY, LOCAL, PROFILES, PROMPT, OpenAiBench
from tests.providers.provider_harness import RawServer, json_reply


@pytest.fixture(params=PROFILES)
async def bench(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> AsyncIterator[OpenAiBench]:
    """Yield each provider with its fake."""
    profile: str = request.param
    server = OpenAiImagesServer(profile=profile, key=KEY, latency=AT_ONCE)
    await server.start()
    yield OpenAiBench(profile=profile, server=server, client=client)
    await server.close()


REFUSALS = [
    ("refused_input", FaultKind.CONTENT, 400),
    ("refused_output", FaultKind.CONTENT, 400),
    ("refused_unknown_stage", FaultKind.CONTENT, 400),
    ("refused_policy", FaultKind.CONTENT, 400),
    ("refused_azure_inner_error", FaultKind.CONTENT, 400),
    ("account_empty", FaultKind.ACCOUNT_EMPTY, 429),
    ("account_empty_hard_limit", FaultKind.ACCOUNT_EMPTY, 400),
    ("key_refused", FaultKind.KEY_REJECTED, 401),
    ("key_unverified", FaultKind.KEY_REJECTED, 403),
    ("rate_limited", FaultKind.RATE_LIMITED, 429),
    ("rate_limited_reset", FaultKind.RATE_LIMITED, 429),
    ("bad_input", FaultKind.INVALID, 400),
    ("model_retired", FaultKind.MODEL_UNAVAILABLE, 404),
]


@pytest.mark.parametrize(("case", "kind", "status"), REFUSALS)
async def test_refused_call_is_classified_and_surely_not_accepted(
    bench: OpenAiBench, case: str, kind: FaultKind, status: int
) -> None:
    bench.server.faults.play(case)

    with structlog.testing.capture_logs() as logs:
        fault = await bench.fail()

    assert (fault.kind, fault.status, fault.maybe_accepted) == (kind, status, False)
    assert fault.provider == bench.profile
    assert len(bench.server.requests) == 1
    for shown in (str(logs), fault.detail, repr(fault)):
        assert KEY not in shown
        assert not set(PROMPT.split()) & set(shown.split()) - {"a", "is"}


@pytest.mark.parametrize(
    ("case", "kind", "status"),
    [
        ("overloaded", FaultKind.UNAVAILABLE, 503),
        ("server_error", FaultKind.SERVER_ERROR, 500),
        ("server_error_late", FaultKind.SERVER_ERROR, 500),
    ],
)
async def test_server_error_may_hide_an_accepted_call_of_a_paid_service(
    bench: OpenAiBench, case: str, kind: FaultKind, status: int
) -> None:
    """On the operator's own machine another try costs nothing."""
    bench.server.faults.play(case)

    fault = await bench.fail()

    assert (fault.kind, fault.status, fault.maybe_accepted) == (kind, status, bench.profile not in LOCAL)
    assert fault.retry_after is None
    assert len(bench.server.requests) == 1


@pytest.mark.parametrize(("case", "kind"), [("reply_lost", FaultKind.REPLY_LOST), ("reply_half", FaultKind.REPLY_LOST)])
async def test_lost_reply_may_hide_an_accepted_call(bench: OpenAiBench, case: str, kind: FaultKind) -> None:
    bench.server.faults.play(case)

    fault = await bench.fail()

    assert (fault.kind, fault.maybe_accepted) == (kind, True)
    assert len(bench.server.requests) == len(bench.server.jobs) == 1


async def test_page_instead_of_json_may_hide_an_accepted_call(bench: OpenAiBench) -> None:
    bench.server.faults.add("submit", "malformed")

    fault = await bench.fail()

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)
    assert len(bench.server.requests) == 1


async def test_json_without_images_or_error_may_hide_an_accepted_call(bench: OpenAiBench) -> None:
    for body in ("{}", "[]", '{"data": 7}'):
        async with RawServer(json_reply(body)) as server:
            fault = await bench.fail(provider=bench.provider(url=server.url))
        assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)


async def test_answer_without_images_is_a_failure(bench: OpenAiBench) -> None:
    bench.server.faults.play("nothing")

    answer = await bench.submit()

    assert isinstance(answer, Failed)
    assert answer.kind is FaultKind.NO_PICTURES


async def test_refused_connection_is_surely_not_accepted(bench: OpenAiBench) -> None:
    fault = await bench.fail(provider=bench.provider(url="http://127.0.0.1:1/v1"))

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


@pytest.mark.parametrize(("case", "seconds"), [("rate_limited", 12.0), ("rate_limited_reset", 90.0)])
async def test_wait_of_a_rate_limit_is_passed_on(bench: OpenAiBench, case: str, seconds: float) -> None:
    bench.server.faults.play(case)

    assert (await bench.fail()).retry_after == seconds


async def test_wrong_key_is_rejected(bench: OpenAiBench) -> None:
    if bench.profile in LOCAL:
        return  # these fakes have none
    fault = await bench.fail(provider=bench.provider(key="sk-another-key-9876"))

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.KEY_REJECTED, False)
    assert "9876" not in repr(fault)


@pytest.mark.parametrize("bench", ["xai"], indirect=True)
async def test_withheld_images_are_a_refusal(bench: OpenAiBench) -> None:
    bench.server.faults.play("refused_xai_picture")

    answer = await bench.submit()

    assert isinstance(answer, Failed)
    assert answer.kind is FaultKind.CONTENT
    assert answer.cost == usd(Decimal(0), CostSource.REPORTED)
    assert bench.server.billed == []


@pytest.mark.parametrize("bench", ["xai"], indirect=True)
async def test_images_beside_a_withheld_one_are_returned(bench: OpenAiBench) -> None:
    body = (
        '{"data": [{"respect_moderation": false, "b64_json": "bm8="}, {"respect_moderation": true, "b64_json":'
        ' "aGVsbG8="}], "usage": {"cost_in_usd_ticks": 800000000}}'
    )
    async with RawServer(json_reply(body)) as server:
        finished = await bench.finish(provider=bench.provider(url=server.url))

    assert finished.image_files == (b"hello",)
    assert finished.cost == usd(Decimal("0.08"), CostSource.REPORTED)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1m30s", 90.0),
        ("250ms", 0.25),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("20s", 20.0),
        ("7", 7.0),
        ("900h", 86_400.0),
        ("", None),
        (None, None),
        ("soon", None),
        ("1m30", None),
        ("9" * 5000, None),
    ],
)
def test_duration_is_read_in_seconds(text: str | None, seconds: float | None) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": "moderation_blocked"}, FaultKind.CONTENT),
        (400, {"code": "BadRequest", "inner_error": {"error_code": "content_policy_violation"}}, FaultKind.CONTENT),
        (400, {"code": "BadRequest", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, FaultKind.CONTENT),
        (400, {"code": "billing_hard_limit_reached"}, FaultKind.ACCOUNT_EMPTY),
        (429, {"type": "insufficient_quota", "code": None}, FaultKind.ACCOUNT_EMPTY),
        (500, {"code": "moderation_blocked"}, None),
        (400, {"code": ["moderation_blocked"], "param": "insufficient_quota"}, None),
        (429, {"code": "rate_limit_exceeded"}, None),
        (400, "moderation_blocked", None),
    ],
)
def test_codes_decide_the_kind_of_an_error(status: int, error: object, kind: FaultKind | None) -> None:
    assert kind_of(status, {"error": error}, httpx.Headers()) is kind


def test_resets_count_for_a_rate_limit_only() -> None:
    headers = httpx.Headers({"x-ratelimit-reset-requests": "1m30s", "x-ratelimit-reset-tokens": "broken"})

    assert wait_of(headers, {"error": {"code": "rate_limit_exceeded"}}) == 90.0
    assert wait_of(headers, {"error": {"code": "server_error"}}) is None
    assert wait_of(httpx.Headers(), {"error": {"code": "rate_limit_exceeded"}}) is None
