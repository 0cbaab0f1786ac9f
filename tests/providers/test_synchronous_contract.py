"""The contract of synchronous providers, over sockets with their fakes."""

import asyncio
import traceback
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog

from bot.domain.costs import CostSource, Currency
from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import CancelOutcome, Failed, Finished, InputForm
from bot.providers.registry import PROVIDERS
from sandbox.providers import Endpoint, read_manifest
from tests.providers.provider_harness import KEY, PROMPT, RawServer
from tests.providers.synchronous_harness import (
    AT_ONCE,
    CASES,
    SynchronousCase,
    SynchronousHarness,
    input_file,
)
from tests.support.submissions import submission

ACCEPTED = True
REFUSED = False
FAULTS = {
    "openrouter": {
        "refused_input": (FaultKind.CONTENT, REFUSED),
        "refused_input_flagged": (FaultKind.CONTENT, REFUSED),
        "refused_input_guardrail": (FaultKind.CONTENT, REFUSED),
        "refused_output": (FaultKind.CONTENT, REFUSED),
        "first_provider_down": (FaultKind.SERVER_ERROR, REFUSED),
        "account_empty": (FaultKind.ACCOUNT_EMPTY, REFUSED),
        "key_refused": (FaultKind.KEY_REJECTED, REFUSED),
        "key_forbidden": (FaultKind.KEY_REJECTED, REFUSED),
        "rate_limited": (FaultKind.RATE_LIMITED, REFUSED),
        "overloaded": (FaultKind.SERVER_ERROR, REFUSED),
        "overloaded_all": (FaultKind.UNAVAILABLE, REFUSED),
        "no_provider": (FaultKind.UNAVAILABLE, REFUSED),
        "server_error": (FaultKind.SERVER_ERROR, REFUSED),
        "edge_timeout": (FaultKind.SERVER_ERROR, ACCEPTED),
        "timeout": (FaultKind.SERVER_ERROR, ACCEPTED),
        "reply_lost": (FaultKind.REPLY_LOST, ACCEPTED),
        "reply_half": (FaultKind.REPLY_LOST, ACCEPTED),
        "too_large": (FaultKind.INVALID, REFUSED),
        "bad_input": (FaultKind.INVALID, REFUSED),
        "bad_input_format": (FaultKind.INVALID, REFUSED),
        "bad_input_large": (FaultKind.INVALID, REFUSED),
        "bad_input_small": (FaultKind.INVALID, REFUSED),
        "model_retired": (FaultKind.MODEL_UNAVAILABLE, REFUSED),
    },
    "gemini": {
        "account_empty": (FaultKind.ACCOUNT_EMPTY, REFUSED),
        "account_empty_quota": (FaultKind.ACCOUNT_EMPTY, REFUSED),
        "account_empty_billing": (FaultKind.ACCOUNT_EMPTY, REFUSED),
        "region_refused": (FaultKind.MODEL_UNAVAILABLE, REFUSED),
        "key_refused": (FaultKind.KEY_REJECTED, REFUSED),
        "key_forbidden": (FaultKind.KEY_REJECTED, REFUSED),
        "key_unauthenticated": (FaultKind.KEY_REJECTED, REFUSED),
        "rate_limited": (FaultKind.RATE_LIMITED, REFUSED),
        "overloaded": (FaultKind.UNAVAILABLE, ACCEPTED),
        "server_error": (FaultKind.SERVER_ERROR, ACCEPTED),
        "deadline": (FaultKind.SERVER_ERROR, ACCEPTED),
        "reply_lost": (FaultKind.REPLY_LOST, ACCEPTED),
        "reply_half": (FaultKind.REPLY_LOST, ACCEPTED),
        "bad_input": (FaultKind.INVALID, REFUSED),
        "model_retired": (FaultKind.MODEL_UNAVAILABLE, REFUSED),
    },
}
FAILURES = {
    "openrouter": {"nothing": FaultKind.NO_PICTURES},
    "gemini": {
        "nothing": FaultKind.NO_PICTURES,
        "only_thoughts": FaultKind.NO_PICTURES,
        "failed_no_image": FaultKind.NO_PICTURES,
        "failed_image_other": FaultKind.GENERATION,
        "refused_input": FaultKind.CONTENT,
        "refused_output": FaultKind.CONTENT,
        **{
            f"refused_input_{reason}": FaultKind.CONTENT
            for reason in ("safety", "other", "blocklist", "prohibited_content", "image_safety")
        },
        **{
            f"refused_output_{reason}": FaultKind.CONTENT
            for reason in (
                "safety",
                "image_safety",
                "prohibited_content",
                "image_prohibited_content",
                "blocklist",
                "spii",
                "recitation",
                "image_recitation",
            )
        },
    },
}
GOOD = {"openrouter": {"fewer"}, "gemini": set[str]()}
"""Cases with images, which the tests of their provider play."""


@pytest.fixture(params=CASES, ids=lambda case: case.name)
async def bench(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> AsyncIterator[SynchronousHarness]:
    """Yield each provider with its fake."""
    case: SynchronousCase = request.param
    server = case.server(key=KEY, latency=AT_ONCE)
    await server.start()
    yield SynchronousHarness(case=case, server=server, client=client)
    await server.close()


async def fault_of(bench: SynchronousHarness, url: str | None = None, **options: float) -> ProviderError:
    """Return the error of a submit."""
    provider = bench.provider if url is None else bench.provider_at(url, **options)
    with pytest.raises(ProviderError) as caught:
        await provider.submit(submission(bench.request(), bench.offer))
    return caught.value


async def test_submit_returns_the_files_byte_for_byte(bench: SynchronousHarness) -> None:
    finished = await bench.finished()

    assert finished.image_files == bench.server.jobs[0].pictures
    assert read_manifest(finished.image_files[0])
    assert (finished.image_urls, finished.handle) == ((), None)
    assert finished.record_id


async def test_submit_names_the_cost_in_dollars(bench: SynchronousHarness) -> None:
    cost = (await bench.finished(resolution="4K")).cost

    source = CostSource.REPORTED if bench.case.name == "openrouter" else CostSource.COMPUTED
    assert cost is not None
    assert (cost.currency, cost.source) == (Currency.USD, source)
    assert cost.amount == bench.server.billed[0].cost


async def test_input_files_are_sent_in_their_order(bench: SynchronousHarness) -> None:
    await bench.submit(input_file("png"), input_file("jpeg"), input_file("webp"))

    assert [each.format for each in bench.server.jobs[0].inputs] == ["png", "jpeg", "webp"]


@pytest.mark.parametrize(("ratio", "resolution"), [("1:1", None), ("16:9", "2K"), ("2:3", "4K")])
async def test_size_is_the_requested_one(bench: SynchronousHarness, ratio: str, resolution: str | None) -> None:
    await bench.submit(aspect_ratio=ratio, resolution=resolution)

    drawn = bench.server.jobs[0].request
    edge = {None: 1024, "2K": 2048, "4K": 4096}[resolution]
    across, down = map(int, ratio.split(":"))
    assert drawn.width / drawn.height == pytest.approx(across / down, rel=0.05)
    assert drawn.width * drawn.height == pytest.approx(edge * edge, rel=0.1)


def rows(table: dict[str, dict[str, object]]) -> list[object]:
    """Return provider, case and expectation of a table as parameters."""
    return [
        pytest.param(name, case, expected, id=f"{name}-{case}")
        for name, cases in table.items()
        for case, expected in cases.items()
    ]


@pytest.fixture
async def fake(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> AsyncIterator[SynchronousHarness]:
    """Yield the provider of the parameter `name`."""
    case = next(each for each in CASES if each.name == request.getfixturevalue("name"))
    server = case.server(key=KEY, latency=AT_ONCE)
    await server.start()
    yield SynchronousHarness(case=case, server=server, client=client)
    await server.close()


@pytest.mark.parametrize(("name", "case", "expected"), rows(FAULTS))  # type: ignore[arg-type]
async def test_case_is_the_documented_fault(
    fake: SynchronousHarness, name: str, case: str, expected: tuple[FaultKind, bool]
) -> None:
    fake.server.faults.play(case)

    with structlog.testing.capture_logs() as logs:
        fault = await fault_of(fake)

    assert (fault.kind, fault.maybe_accepted) == expected
    assert fault.provider == name
    assert fault.retry_after == ({"openrouter": 15.0, "gemini": 37.0}[name] if case == "rate_limited" else None)
    assert "lighthouse" not in f"{logs} {fault.detail} {fault}"
    assert [each.endpoint for each in fake.server.requests] == [Endpoint.SUBMIT]


@pytest.mark.parametrize(("name", "case", "expected"), rows(FAILURES))  # type: ignore[arg-type]
async def test_case_is_the_documented_failure(
    fake: SynchronousHarness, name: str, case: str, expected: FaultKind
) -> None:
    fake.server.faults.play(case)

    answer = await fake.submit()

    assert isinstance(answer, Failed), name
    assert answer.kind is expected


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_every_case_of_the_fake_is_played(name: str) -> None:
    server = next(case.server for case in CASES if case.name == name)

    assert set(server(key=KEY).faults.cases) == {*FAULTS[name], *FAILURES[name], *GOOD[name]}


async def test_submit_is_sent_once(bench: SynchronousHarness) -> None:
    for case in ("rate_limited", "overloaded", "server_error", "reply_lost"):
        bench.server.faults.play(case)
        await fault_of(bench)

    assert len(bench.server.requests) == 4
    assert len(bench.server.jobs) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{"data": 5, "candidates": "a"}'.replace(b"29", b"30"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"[" * 20_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["no-http", "empty", "list", "object", "no-lists", "deep", "redirect"],
)
async def test_malformed_answer_may_be_accepted(bench: SynchronousHarness, reply: bytes) -> None:
    """A submit is not repeated after it."""
    async with RawServer(reply) as server:
        fault = await fault_of(bench, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)


async def test_silence_and_close_are_lost_replies(bench: SynchronousHarness) -> None:
    async with RawServer(b"", silent=True) as silent, RawServer(b"") as closing:
        faults = await asyncio.gather(
            fault_of(bench, silent.url, submit_read_timeout=0.05), fault_of(bench, closing.url)
        )

    assert [(each.kind, each.maybe_accepted) for each in faults] == [(FaultKind.REPLY_LOST, True)] * 2


async def test_refused_connection_is_certainly_not_accepted(bench: SynchronousHarness) -> None:
    await bench.server.close()

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_key_is_sent_in_its_header_and_is_in_no_text(bench: SynchronousHarness) -> None:
    bench.server.faults.add("submit", "status", status=401, message=f"bad key {KEY}")
    refused = await fault_of(bench)
    bench.server.faults.add("submit", "reset_after")
    lost = await fault_of(bench)

    rules = PROVIDERS[bench.case.name].rules
    headers = bench.server.requests[0].headers
    assert headers[rules.key_header.lower()] == f"{rules.key_prefix}{KEY}"
    for error in (refused, lost):
        assert KEY not in str(error)
        assert KEY not in "".join(traceback.format_exception(error))
        assert error.__context__ is None
    assert KEY not in repr(bench.provider)


async def test_wrong_key_is_rejected(bench: SynchronousHarness) -> None:
    bench.server._keys = frozenset({"another"})

    assert FaultKind.KEY_REJECTED is (await fault_of(bench)).kind


async def test_empty_account_is_classified(bench: SynchronousHarness) -> None:
    bench.server.store.balance = 0

    fault = await fault_of(bench)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.ACCOUNT_EMPTY, False)


@pytest.mark.parametrize("quoted", [PROMPT, PROMPT[:30], f"could not use '{PROMPT.upper()}'"])
async def test_quoted_prompt_decides_nothing_and_is_not_logged(bench: SynchronousHarness, quoted: str) -> None:
    bench.server.faults.add("submit", "status", status=400, message=f"bad size for: {quoted}")

    with structlog.testing.capture_logs() as logs:
        fault = await fault_of(bench)

    assert fault.kind is FaultKind.INVALID
    assert "lighthouse" not in f"{logs} {fault.detail}".lower()


async def test_there_are_no_jobs_to_poll_or_cancel(bench: SynchronousHarness) -> None:
    with pytest.raises(ProviderError) as caught:
        await bench.provider.poll("h")

    assert caught.value.kind is FaultKind.NOT_FOUND
    assert await bench.provider.cancel("h") is CancelOutcome.UNSUPPORTED
    assert bench.provider.parse_webhook({"request_id": "h"}) is None
    assert (bench.provider.is_synchronous, bench.provider.takes_webhooks) == (True, False)
    assert bench.provider.input_form is InputForm.FILE
    assert not bench.server.requests


async def test_every_shipped_offer_is_accepted(bench: SynchronousHarness) -> None:
    models = [offer.model for offer in bench.offers]
    for model in models:
        finished = await bench.submit(input_file(), model=model)
        assert isinstance(finished, Finished), model

    assert len(bench.server.jobs) == len(models)
