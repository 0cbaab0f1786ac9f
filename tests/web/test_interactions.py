"""The endpoint of interactions, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.web.interactions import MAX_BODY_BYTES, TOLERANCE_SECONDS, InteractionEndpoint
from bot.web.server import WebServer
from sandbox.discord.entities import Application
from sandbox.discord.interaction_endpoint import EndpointRefusedError, InteractionSender
from tests.web.raw_client import connect_raw

NOW = 1_800_000_000.0
COMMAND = {"type": 2, "id": "1", "token": "secret-token", "data": {"name": "imagine"}}
PING = {"type": 1}


@dataclass
class Receiving:
    """A running endpoint, and a Discord with its key."""

    discord: InteractionSender
    endpoint: InteractionEndpoint
    port: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)
    takes: bool = True
    gate: asyncio.Event | None = None
    inside: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, payload: dict[str, Any]) -> bool:
        """Record an interaction."""
        self.received.append(payload)
        self.inside.set()
        if self.gate is not None:
            await self.gate.wait()
        return self.takes

    @property
    def url(self) -> str:
        """The endpoint's address."""
        return f"http://127.0.0.1:{self.port}/interactions"

    async def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        async with aiohttp.ClientSession() as session, session.post(self.url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def send(self, payload: object, *, at: float = NOW, key: Ed25519PrivateKey | None = None) -> int:
        """Return the status of the answer to a signed payload."""
        body = json.dumps(payload).encode()
        return (await self.post(body, dict(self.discord.sign(body, at=at, key=key))))[0]


class _Late:
    """A receiver built after its endpoint."""

    inner: Receiving

    async def receive(self, payload: dict[str, Any]) -> bool:
        """Pass an interaction on."""
        return await self.inner.receive(payload)


@pytest.fixture
async def receiving() -> AsyncIterator[Receiving]:
    """Yield an open endpoint."""
    application = Application(id="1", name="Atelier", owner_id="2", token="t")
    late = _Late()
    endpoint = InteractionEndpoint(late, now=lambda: datetime.fromtimestamp(NOW, UTC), read_seconds=60.0)
    discord = InteractionSender(application, lambda: NOW, lambda *_: None, tolerance=60.0)
    late.inner = Receiving(discord=discord, endpoint=endpoint)
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=endpoint.routes)
    late.inner.port = await server.start()
    endpoint.open(application.signing_key.public_key().public_bytes_raw().hex())
    yield late.inner
    await server.stop()


async def _nothing_missing() -> list[str]:
    return []


async def test_signed_interaction_is_accepted_without_body(receiving: Receiving) -> None:
    """202, since the answer to the member goes over REST."""
    body = json.dumps(COMMAND).encode()
    assert await receiving.post(body, dict(receiving.discord.sign(body, at=NOW))) == (202, b"")
    assert receiving.received == [COMMAND]


async def test_ping_is_answered_with_pong(receiving: Receiving) -> None:
    body = json.dumps(PING).encode()
    status, answer = await receiving.post(body, dict(receiving.discord.sign(body, at=NOW)))
    assert (status, json.loads(answer)) == (200, {"type": 1})
    assert receiving.received == []


async def test_discord_saves_address_of_endpoint(receiving: Receiving) -> None:
    """Its check is a PING with a valid and one with a wrong signature."""
    await receiving.discord.register(receiving.url)
    receiving.endpoint.open(Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex())
    with pytest.raises(EndpointRefusedError, match="a PING was answered with 401"):
        await receiving.discord.register(receiving.url)


async def test_interaction_with_wrong_key_is_unauthorized(receiving: Receiving) -> None:
    assert await receiving.send(COMMAND, key=Ed25519PrivateKey.generate()) == 401
    assert receiving.received == []


async def test_changed_body_is_unauthorized(receiving: Receiving) -> None:
    body = json.dumps(COMMAND).encode()
    headers = dict(receiving.discord.sign(body, at=NOW))
    assert (await receiving.post(body.replace(b"imagine", b"credits"), headers))[0] == 401
    assert receiving.received == []


async def test_changed_timestamp_is_unauthorized(receiving: Receiving) -> None:
    """The signature covers it, so an old request cannot be made a new one."""
    body = json.dumps(COMMAND).encode()
    headers = {**receiving.discord.sign(body, at=NOW - 3600), "X-Signature-Timestamp": str(int(NOW))}
    assert (await receiving.post(body, headers))[0] == 401


@pytest.mark.parametrize("missing", ["X-Signature-Ed25519", "X-Signature-Timestamp"])
async def test_missing_header_is_unauthorized(receiving: Receiving, missing: str) -> None:
    body = json.dumps(COMMAND).encode()
    headers = {name: value for name, value in receiving.discord.sign(body, at=NOW).items() if name != missing}
    assert (await receiving.post(body, headers))[0] == 401


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Signature-Ed25519", "z" * 128),
        ("X-Signature-Ed25519", "0" * 127),
        ("X-Signature-Timestamp", "-5"),
        ("X-Signature-Timestamp", "1.5"),
        ("X-Signature-Timestamp", "²"),
        ("X-Signature-Timestamp", "9" * 400),
    ],
)
async def test_odd_header_is_unauthorized(receiving: Receiving, header: str, value: str) -> None:
    body = json.dumps(COMMAND).encode()
    assert (await receiving.post(body, {**receiving.discord.sign(body, at=NOW), header: value}))[0] == 401


@pytest.mark.parametrize("age", [TOLERANCE_SECONDS + 1, -TOLERANCE_SECONDS - 1], ids=["old", "future"])
async def test_stale_interaction_is_unauthorized(receiving: Receiving, age: float) -> None:
    with structlog.testing.capture_logs() as logs:
        assert await receiving.send(COMMAND, at=NOW - age) == 401
    assert receiving.received == []
    assert [line["event"] for line in logs] == ["interaction.stale"]
    assert await receiving.send(COMMAND, at=NOW - age / 2) == 202


async def test_strangers_request_is_not_logged(receiving: Receiving) -> None:
    with structlog.testing.capture_logs() as logs:
        await receiving.send(COMMAND, key=Ed25519PrivateKey.generate(), at=0)
        await receiving.post(b"{", {})
    assert logs == []


@pytest.mark.parametrize("body", [b"", b"type=2", b"[" * 100_000, b"[2]", b'{"type": "2"}', b'{"type": 99}', b"\xff"])
async def test_signed_body_without_interaction_is_bad(receiving: Receiving, body: bytes) -> None:
    assert (await receiving.post(body, dict(receiving.discord.sign(body, at=NOW))))[0] == 400
    assert receiving.received == []


async def test_too_large_body_is_refused(receiving: Receiving) -> None:
    body = b" " * MAX_BODY_BYTES + b"{}"
    assert (await receiving.post(body, dict(receiving.discord.sign(body, at=NOW))))[0] == 413


async def test_body_without_announced_size_is_bounded(receiving: Receiving) -> None:
    """Nothing beyond the limit is read."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in receiving.discord.sign(b"", at=NOW).items())
    async with connect_raw(receiving.port) as client:
        await client.send(f"POST /interactions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{headers}\r\n")
        await client.send(b"%x\r\n" % (MAX_BODY_BYTES + 1) + b" " * (MAX_BODY_BYTES + 1) + b"\r\n")
        assert await client.status() == 413


async def test_other_method_is_not_allowed(receiving: Receiving) -> None:
    async with aiohttp.ClientSession() as session, session.get(receiving.url) as answer:
        assert answer.status == 405


async def test_interaction_without_answer_is_unavailable(receiving: Receiving) -> None:
    receiving.takes = False
    assert await receiving.send(COMMAND) == 503


async def test_closed_endpoint_is_unavailable_and_waits_for_requests(receiving: Receiving) -> None:
    """A load balancer sends the next one to another process."""
    receiving.gate = asyncio.Event()
    running = asyncio.create_task(receiving.send(COMMAND))
    await receiving.inside.wait()
    closing = asyncio.create_task(receiving.endpoint.close(60.0))
    assert await receiving.send(COMMAND) == 503
    assert not closing.done()
    receiving.gate.set()
    await closing
    assert await running == 202
    assert len(receiving.received) == 1


async def test_closing_does_not_wait_for_ever(receiving: Receiving) -> None:
    receiving.gate = asyncio.Event()
    running = asyncio.create_task(receiving.send(COMMAND))
    await receiving.inside.wait()
    with structlog.testing.capture_logs() as logs:
        await receiving.endpoint.close(0.0)
    assert logs == [{"event": "interaction.requests_left", "count": 1, "log_level": "warning"}]
    receiving.gate.set()
    await running


async def test_readiness_says_draining() -> None:
    """And the process is still alive."""
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing)
    port = await server.start()
    server.begin_drain()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"status": "draining", "missing": []})
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
    await server.stop()
