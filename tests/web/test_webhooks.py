"""The webhook endpoint, over real sockets."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest
import structlog

from bot.web import webhooks as module
from bot.web.request_body import READ_SECONDS
from bot.web.server import WebServer
from bot.web.webhooks import MAX_BODY_BYTES, WebhookEndpoint
from tests.web.raw_client import connect_raw

TOKEN = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0"
PATH = f"/webhooks/skillboss/{TOKEN}"
impatient = pytest.mark.parametrize("post", [0.2], indirect=True)
OK = b'{"request_id": "c546", "status": "OK", "payload": {"generated_images": []}, "error": null}'


@dataclass
class WebhookServer:
    """A running server with a receiver chosen by the test."""

    port: int = 0
    ours: bool = True
    error: Exception | None = None
    received: list[tuple[str, str, bytes]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    inside: int = 0
    most_inside: int = 0
    full: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, provider: str, token: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Record the call and return the test's answer."""
        del headers
        self.received.append((provider, token, body))
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        if self.inside == module._AT_ONCE:
            self.full.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.inside -= 1
        return self.ours

    async def send(self, data: bytes, path: str = PATH, method: str = "POST", **headers: str) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
            session.request(method, url, data=data, headers=headers) as answer,
        ):
            return answer.status, await answer.read()


@pytest.fixture
async def post(request: pytest.FixtureRequest) -> AsyncIterator[WebhookServer]:
    """Yield a running server; the parameter is its body timeout in seconds."""
    post = WebhookServer()
    endpoint = WebhookEndpoint(post, read_seconds=getattr(request, "param", 60.0))
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=endpoint.routes)
    post.port = await server.start()
    yield post
    await server.stop()


async def _nothing_missing() -> list[str]:
    return []


async def test_known_webhook_is_accepted(post: WebhookServer) -> None:
    """204 without a body; address parts and body are forwarded."""
    assert await post.send(OK) == (204, b"")
    assert post.received == [("skillboss", TOKEN, OK)]


async def test_unknown_webhook_is_not_found(post: WebhookServer) -> None:
    """The usual 404, after the usual work."""
    post.ours = False
    status, body = await post.send(OK)
    assert (status, body) == (404, b"404: Not Found")
    assert await post.send(b"", path="/elsewhere") == (404, b"404: Not Found")
    assert post.received == [("skillboss", TOKEN, OK)]


@pytest.mark.parametrize("path", ["/webhooks/nobody/x", "/webhooks/skillboss/%7Bx%7D", "/webhooks/%00/%ff%00"])
async def test_any_address_is_looked_up(post: WebhookServer, path: str) -> None:
    """Any provider and token is looked up."""
    assert (await post.send(b"{}", path=path))[0] == 204
    assert len(post.received) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"{", b"\xff\xfe", b"[" * 60_000, b"1" * 60_000, gzip.compress(b"{}")],
    ids=["empty", "words", "half", "no-text", "deep", "long-number", "gzip"],
)
async def test_non_json_body_is_still_a_hint(post: WebhookServer, body: bytes) -> None:
    """It names no job, but the caller knows the token."""
    assert (await post.send(body))[0] == 204
    assert post.received == [("skillboss", TOKEN, body)]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_content_type_is_ignored(post: WebhookServer, kind: str) -> None:
    await post.send(OK, **{"Content-Type": kind})
    assert post.received == [("skillboss", TOKEN, OK)]


async def test_compressed_body_is_not_decompressed(post: WebhookServer) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    assert (await post.send(bomb, **{"Content-Encoding": "gzip"}))[0] == 204
    assert post.received == [("skillboss", TOKEN, bomb)]


async def test_body_at_cap_is_read(post: WebhookServer) -> None:
    """One byte more is too large, and nothing is looked up."""
    assert (await post.send(b" " * MAX_BODY_BYTES))[0] == 204
    assert (await post.send(b" " * (MAX_BODY_BYTES + 1)))[0] == 413
    assert len(post.received) == 1


async def test_chunked_body_over_cap_is_rejected(post: WebhookServer) -> None:
    """Sent in chunks."""
    async with connect_raw(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            await wire.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        assert await wire.status() == 413
    assert post.received == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_rejected(post: WebhookServer, method: str) -> None:
    """405, for any token."""
    assert (await post.send(b"", method=method))[0] == 405
    assert post.received == []


@impatient
async def test_missing_body_times_out(post: WebhookServer) -> None:
    async with connect_raw(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{")
        assert await wire.status() == 408
    assert post.received == []


@impatient
async def test_timed_out_request_frees_its_place(post: WebhookServer) -> None:
    """After the 408 nothing waits for the rest."""
    async with connect_raw(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{")
        async with asyncio.timeout(60):
            assert "408" in (await wire.reader.read()).decode()


def test_body_timeout_is_shorter_than_health_check() -> None:
    """The check of the Dockerfile waits four seconds."""
    assert READ_SECONDS <= 3


async def test_malformed_body_is_bad_request(post: WebhookServer) -> None:
    """Invalid chunks."""
    async with connect_raw(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert await wire.status() == 400
    assert post.received == []


async def test_aborted_request_leaves_no_trace(post: WebhookServer) -> None:
    """No lookup and no log line."""
    with structlog.testing.capture_logs() as logs:
        async with connect_raw(post.port) as wire:
            await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{")
        assert (await post.send(b"[]"))[0] == 204
    assert post.received == [("skillboss", TOKEN, b"[]")]
    assert logs == []


async def test_unavailable_database_returns_503(post: WebhookServer) -> None:
    """503, so that the provider retries; the next one is accepted."""
    post.error = ConnectionRefusedError("the database")
    assert (await post.send(b"{}"))[0] == 503
    post.error = None
    assert (await post.send(b"{}"))[0] == 204


async def test_concurrent_lookups_are_limited(post: WebhookServer) -> None:
    """The rest wait, and all are answered."""
    post.gate = asyncio.Event()
    sent = [asyncio.create_task(post.send(b"{}")) for _ in range(3 * module._AT_ONCE)]
    await post.full.wait()
    post.gate.set()
    assert {status for status, _ in await asyncio.gather(*sent)} == {204}
    assert post.most_inside == module._AT_ONCE


async def test_log_contains_no_token(
    post: WebhookServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither an internal error, nor a stranger, nor a malformed request."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        post.error = ConnectionRefusedError(f"no look-up for {TOKEN}")
        await post.send(b"{}")
        post.error, post.ours = None, False
        await post.send(b"{}")
        for head in (f"POST {PATH} HTTP/7.x\r\n", f"POST {PATH} HTTP/1.1\r\nBad {TOKEN}\r\n", f"{TOKEN}\x00\r\n"):
            async with connect_raw(post.port) as wire:
                await wire.send(f"{head}\r\n")
                await wire.rest()

    assert [entry["event"] for entry in logs] == ["webhook.not_taken"]
    assert logs[0]["fault"] == "ConnectionRefusedError"
    assert TOKEN not in repr(logs) + caplog.text + "".join(capsys.readouterr())


async def test_server_without_public_url_has_no_webhooks() -> None:
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing)
    post = WebhookServer(port=await server.start())
    assert (await post.send(b"{}"))[0] == 404
    await server.stop()
