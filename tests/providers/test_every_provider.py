"""Rules for the HTTP of every provider, with raw servers.

ComfyUI is not here: it takes its inputs and its job in several requests, and its own tests have these rules.
"""

import traceback
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Abilities, Offer
from bot.domain.requests import GenerationRequest
from bot.providers.base import Failed, SubmitAnswer
from bot.providers.registry import PROVIDERS
from bot.providers.spec import ProviderSpec
from tests.providers.provider_harness import RawServer, json_reply
from tests.support.catalogue import SHIPPED
from tests.support.submissions import submission

KEY = "sk-every-0123456789"
PROMPT = "zebras juggling quinces beside waterfalls"
NEGATIVE = "umbrellas"
NAMES = tuple(name for name in PROVIDERS if name != "comfyui")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Sends calls of one provider to a raw server."""

    spec: ProviderSpec
    client: httpx.AsyncClient

    @property
    def offer(self) -> Offer:
        """Return a shipped offer, or one that an operator could add."""
        own = (offer for offer in SHIPPED.offers if offer.provider == self.spec.name)
        other = Offer(provider=self.spec.name, model="a-model", remote_model="a-model", abilities=Abilities())
        return next(own, other)

    async def fail(self, url: str, *, prompt: str = PROMPT, **rules: Any) -> ProviderError:
        """Submit a call and return its error; `rules` are changes of the HTTP's."""
        spec = replace(self.spec, rules=replace(self.spec.rules, **rules))
        provider = spec.build(spec.open_http(self.client, url, KEY))
        request = GenerationRequest(prompt=prompt, model=self.offer.model, negative=NEGATIVE)
        with pytest.raises(ProviderError) as caught:
            await provider.submit(submission(request, self.offer))
        assert caught.value.provider == self.spec.name
        return caught.value


@pytest.fixture(params=NAMES)
def caller(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> Caller:
    """Return the caller of each provider."""
    return Caller(spec=PROVIDERS[request.param], client=client)


@pytest.mark.parametrize(
    "status",
    [
        "408 Timeout",
        "409 Conflict",
        "429 Busy",
        "500 Error",
        "502 Bad",
        "503 Busy",
        "504 Late",
        "529 Busy",
        "302 Found",
    ],
)
async def test_paid_call_is_sent_once_whatever_its_status(caller: Caller, status: str) -> None:
    async with RawServer(json_reply('{"error": {"message": "try again"}}', status=status)) as server:
        await caller.fail(server.url)

    assert [request.split(b" ", 1)[0] for request in server.requests] == [b"POST"]


async def test_paid_call_without_a_reply_is_sent_once_and_perhaps_accepted(caller: Caller) -> None:
    async with RawServer(b"") as server:
        fault = await caller.fail(server.url)

    assert fault.maybe_accepted
    assert len(server.requests) == 1


async def test_key_is_in_its_header_alone(caller: Caller) -> None:
    async with RawServer(json_reply("{}", status="400 Bad Request")) as server:
        await caller.fail(server.url)

    (request,) = server.requests
    rules = caller.spec.rules
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    assert KEY not in line
    assert KEY.encode() not in body
    with_key = [each.partition(": ") for each in headers if KEY in each]
    assert [(name.lower(), value) for name, _, value in with_key] == [
        (rules.key_header.lower(), f"{rules.key_prefix}{KEY}")
    ]


@pytest.mark.parametrize("status", ["302 Found", "308 Permanent Redirect"])
async def test_redirect_is_not_followed(caller: Caller, status: str) -> None:
    async with RawServer(json_reply("{}")) as other:
        reply = json_reply("{}", status=status, headers=f"Location: {other.url}/elsewhere\r\n")
        async with RawServer(reply) as server:
            await caller.fail(server.url)

    assert other.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "500 Error"])
async def test_quoted_prompt_and_key_are_in_no_log_and_no_error(caller: Caller, status: str) -> None:
    quoted = f'"{PROMPT} {NEGATIVE} {KEY}"'
    bodies = (
        f'{{"error": {{"message": {quoted}, "code": {quoted}, "type": {quoted}, "metadata": {quoted}}}}}',
        f'{{"detail": [{{"loc": ["body"], "msg": {quoted}, "type": {quoted}, "input": {quoted}}}]}}',
        f'{{"error": {quoted}, "message": {quoted}, "status": {quoted}}}',
        quoted,
    )
    for body in bodies:
        with structlog.testing.capture_logs() as logs:
            async with RawServer(json_reply(body, status=status)) as server:
                fault = await caller.fail(server.url)
        shown = "".join(traceback.format_exception(fault)) + fault.detail + repr(logs)
        for word in (*PROMPT.split(), NEGATIVE, KEY):
            assert word not in shown


async def test_quoted_prompt_about_content_decides_nothing(caller: Caller) -> None:
    prompt = "NSFW insufficient balance poster"
    body = f'{{"error": {{"message": "bad size for: {prompt}"}}, "detail": "bad size for: {prompt}"}}'
    async with RawServer(json_reply(body, status="400 Bad Request")) as server:
        fault = await caller.fail(server.url, prompt=prompt)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.INVALID, False)


@pytest.mark.parametrize("body", ['{"id": "abc", "data": [{"b64_js', "<html>Sign in</html>", ""])
async def test_answer_that_is_no_json_is_perhaps_accepted(caller: Caller, body: str) -> None:
    async with RawServer(json_reply(body)) as server:
        fault = await caller.fail(server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)


async def test_broken_off_answer_is_perhaps_accepted(caller: Caller) -> None:
    reply = b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"data": ['
    async with RawServer(reply) as server:
        fault = await caller.fail(server.url)

    assert fault.kind in (FaultKind.REPLY_LOST, FaultKind.MALFORMED)
    assert fault.maybe_accepted


async def test_too_long_answer_is_not_read_to_its_end(caller: Caller) -> None:
    """The rest of it never comes."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"[" * 100_000
    async with RawServer(reply, silent=True) as server:
        fault = await caller.fail(server.url, max_bytes=1000, submit_seconds=2.0)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)


@pytest.mark.parametrize("document", ["[]", "null", "7", '"text"', '{"data": null}', '{"error": null}', '{"id": {}}'])
async def test_strange_json_is_an_error_or_a_failure(caller: Caller, document: str) -> None:
    """Never an exception of another kind, and never a success."""
    spec = caller.spec
    async with RawServer(json_reply(document)) as server:
        provider = spec.build(spec.open_http(caller.client, server.url, KEY))
        request = GenerationRequest(prompt=PROMPT, model=caller.offer.model)
        answer = await outcome(provider.submit(submission(request, caller.offer)))
    assert isinstance(answer, Failed) or (isinstance(answer, ProviderError) and answer.maybe_accepted)


async def outcome(call: Awaitable[SubmitAnswer]) -> SubmitAnswer | ProviderError:
    """Return the answer of a call, or its error."""
    try:
        return await call
    except ProviderError as error:
        return error
