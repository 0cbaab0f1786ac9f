"""The webhooks' address, over real sockets: what is answered, what is passed on, and what never is."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
import structlog

from bot.web import webhooks as module
from bot.web.server import WebServer
from bot.web.webhooks import MAX_BODY_BYTES, WebhookEndpoint
from tests.web.raw_client import wire_to

TOKEN = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0"
PATH = f"/webhooks/skillboss/{TOKEN}"
impatient = pytest.mark.parametrize("post", [0.2], indirect=True)
OK: dict[str, object] = {"request_id": "c546", "status": "OK", "payload": {"generated_images": []}, "error": None}


@dataclass
class Post:
    """A running server whose receiver the test decides."""

    port: int = 0
    ours: bool = True
    error: Exception | None = None
    received: list[tuple[str, str, object]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    inside: int = 0
    most_inside: int = 0
    full: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, provider: str, token: str, body: object) -> bool:
        """Remember what came, and answer as the test wants."""
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
        """Return the status and the body of the answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
            session.request(method, url, data=data, headers=headers) as answer,
        ):
            return answer.status, await answer.read()


@pytest.fixture
async def post(request: pytest.FixtureRequest) -> AsyncIterator[Post]:
    """Return a running server; a parameter is how many seconds its endpoint waits for a body."""
    post = Post()
    endpoint = WebhookEndpoint(post, read_seconds=getattr(request, "param", 60.0))
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=endpoint.routes)
    post.port = await server.start()
    yield post
    await server.stop()


async def _nothing_missing() -> list[str]:
    return []


async def test_a_webhook_of_ours_is_taken(post: Post) -> None:
    """204 with no body, and the parts of the address and the JSON are passed on."""
    assert await post.send(json.dumps(OK).encode()) == (204, b"")
    assert post.received == [("skillboss", TOKEN, OK)]


async def test_a_strangers_webhook_is_not_found(post: Post) -> None:
    """404 like any other address, after all that is done for one of ours."""
    post.ours = False
    status, body = await post.send(json.dumps(OK).encode())
    assert (status, body) == (404, b"404: Not Found")
    assert await post.send(b"", path="/elsewhere") == (404, b"404: Not Found")
    assert post.received == [("skillboss", TOKEN, OK)]


@pytest.mark.parametrize("path", ["/webhooks/nobody/x", "/webhooks/skillboss/%7Bx%7D", "/webhooks/%00/%ff%00"])
async def test_no_form_of_an_address_ends_early(post: Post, path: str) -> None:
    """Whatever stands in the places of provider and token is looked up."""
    assert (await post.send(b"{}", path=path))[0] == 204
    assert len(post.received) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"{", b"\xff\xfe", b"[" * 60_000, b"1" * 60_000, gzip.compress(b"{}")],
    ids=["empty", "words", "half", "no-text", "deep", "long-number", "gzip"],
)
async def test_a_body_that_is_no_json_is_a_hint_all_the_same(post: Post, body: bytes) -> None:
    """It names no job, but somebody who knows the token has called."""
    assert (await post.send(body))[0] == 204
    assert post.received == [("skillboss", TOKEN, None)]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_the_content_type_does_not_matter(post: Post, kind: str) -> None:
    """JSON is JSON, whatever it is called."""
    await post.send(json.dumps(OK).encode(), **{"Content-Type": kind})
    assert post.received == [("skillboss", TOKEN, OK)]


async def test_a_compressed_body_is_not_unpacked(post: Post) -> None:
    """A few bytes that become many are taken as they are."""
    bomb = gzip.compress(b" " * 10_000_000)
    assert (await post.send(bomb, **{"Content-Encoding": "gzip"}))[0] == 204
    assert post.received == [("skillboss", TOKEN, None)]


async def test_the_largest_body(post: Post) -> None:
    """A body at the cap is read; one byte more is too large, and nothing is looked up for it."""
    assert (await post.send(b" " * MAX_BODY_BYTES))[0] == 204
    assert (await post.send(b" " * (MAX_BODY_BYTES + 1)))[0] == 413
    assert len(post.received) == 1


async def test_a_large_body_that_does_not_say_so(post: Post) -> None:
    """Sent in chunks it is stopped at the cap."""
    async with wire_to(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            await wire.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        assert await wire.status() == 413
    assert post.received == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_posts_are_taken(post: Post, method: str) -> None:
    """Any other method is a 405 that tells nothing of the token."""
    assert (await post.send(b"", method=method))[0] == 405
    assert post.received == []


@impatient
async def test_a_body_that_trickles_is_given_up(post: Post) -> None:
    """Whoever promises a body and does not send it gets a 408."""
    async with wire_to(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{")
        assert await wire.status() == 408
    assert post.received == []


@impatient
async def test_whoever_was_given_up_keeps_no_place(post: Post) -> None:
    """After the 408 nobody waits for the rest of the body."""
    async with wire_to(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{")
        async with asyncio.timeout(60):
            assert "408" in (await wire.reader.read()).decode()


def test_a_slow_body_is_given_up_before_a_health_check_is() -> None:
    """The check of the Dockerfile waits for four seconds."""
    assert module.READ_SECONDS <= 3


async def test_a_body_that_makes_no_sense(post: Post) -> None:
    """Chunks that are none are a 400."""
    async with wire_to(post.port) as wire:
        await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert await wire.status() == 400
    assert post.received == []


async def test_whoever_hangs_up_is_forgotten(post: Post) -> None:
    """A connection that ends in its body leaves nothing: no look-up, no line in the log."""
    with structlog.testing.capture_logs() as logs:
        async with wire_to(post.port) as wire:
            await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{")
        assert (await post.send(b"[]"))[0] == 204
    assert post.received == [("skillboss", TOKEN, [])]
    assert logs == []


async def test_the_database_is_away(post: Post) -> None:
    """503, so that the provider tries again; the next one is taken."""
    post.error = ConnectionRefusedError("the database")
    assert (await post.send(b"{}"))[0] == 503
    post.error = None
    assert (await post.send(b"{}"))[0] == 204


async def test_so_many_are_looked_up_at_a_time(post: Post) -> None:
    """The rest wait for their turn, and all are answered."""
    post.gate = asyncio.Event()
    sent = [asyncio.create_task(post.send(b"{}")) for _ in range(3 * module._AT_ONCE)]
    await post.full.wait()
    post.gate.set()
    assert {status for status, _ in await asyncio.gather(*sent)} == {204}
    assert post.most_inside == module._AT_ONCE


async def test_no_token_is_logged(
    post: Post, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a fault of ours, nor a stranger, nor a request that no library can read brings a token to the log."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        post.error = ConnectionRefusedError(f"no look-up for {TOKEN}")
        await post.send(b"{}")
        post.error, post.ours = None, False
        await post.send(b"{}")
        for head in (f"POST {PATH} HTTP/7.x\r\n", f"POST {PATH} HTTP/1.1\r\nBad {TOKEN}\r\n", f"{TOKEN}\x00\r\n"):
            async with wire_to(post.port) as wire:
                await wire.send(f"{head}\r\n")
                await wire.rest()

    assert [entry["event"] for entry in logs] == ["webhook.not_taken"]
    assert logs[0]["fault"] == "ConnectionRefusedError"
    assert TOKEN not in repr(logs) + caplog.text + "".join(capsys.readouterr())


async def test_without_the_endpoint_there_is_no_address() -> None:
    """Where no public address is set nothing takes webhooks."""
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing)
    post = Post(port=await server.start())
    assert (await post.send(b"{}"))[0] == 404
    await server.stop()
