"""The two pages that a watchman reads."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
import structlog
from aiohttp import web

from bot.web.server import WebServer
from tests.web.raw_client import wire_to

Answer = tuple[int, dict[str, object]]


class Watched:
    """A served readiness that the test decides."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.port = 0

    async def ready(self) -> list[str]:
        """Return what is missing."""
        return self.missing

    async def get(self, path: str) -> Answer:
        """Return status and body of a page."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else {}


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Return a running server."""
    made = Watched()
    server = WebServer(host="127.0.0.1", port=0, ready=made.ready)
    made.port = await server.start()
    yield made
    await server.stop()


async def test_health(watched: Watched) -> None:
    """The process is up, whatever else is missing."""
    watched.missing = ["gateway"]
    assert await watched.get("/healthz") == (200, {"status": "ok"})


async def test_ready(watched: Watched) -> None:
    """When nothing is missing the bot is ready."""
    assert await watched.get("/readyz") == (200, {"status": "ok", "missing": []})


async def test_not_ready(watched: Watched) -> None:
    """What is missing is named, with a 503, until it is there."""
    watched.missing = ["gateway", "database"]
    assert await watched.get("/readyz") == (503, {"status": "not ready", "missing": ["gateway", "database"]})
    watched.missing = []
    assert (await watched.get("/readyz"))[0] == 200


async def test_nothing_else_is_served(watched: Watched) -> None:
    """Any other path is not found."""
    assert (await watched.get("/"))[0] == 404


async def test_a_connection_is_for_one_request(watched: Watched) -> None:
    """After the answer the server hangs up; so it does after an answer that something does not exist."""
    for path in ("/healthz", "/nothing"):
        async with wire_to(watched.port) as wire:
            await wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert "Connection: close" in await wire.rest()


async def test_a_head_that_does_not_end() -> None:
    """Whoever trickles does not keep a connection."""
    server = WebServer(host="127.0.0.1", port=0, ready=Watched().ready, head_seconds=0.1)
    async with wire_to(await server.start()) as wire:
        await wire.send("GET /healthz HTTP/1.1\r\n")
        assert await wire.rest() == ""
    await server.stop()


async def test_a_fault_of_ours_is_logged_by_its_route() -> None:
    """The answer is a 500 without details; what was in the path is not in the log."""

    async def broken(_: web.Request) -> web.Response:
        raise LookupError("ours")

    server = WebServer(host="127.0.0.1", port=0, ready=Watched().ready, routes=[web.get("/a/{secret}", broken)])
    port = await server.start()
    with structlog.testing.capture_logs() as logs:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/a/s3cret") as answer:
            assert (answer.status, await answer.text()) == (500, "500: Internal Server Error")
    assert [(entry["event"], entry["route"]) for entry in logs] == [("web.broke", "/a/{secret}")]
    assert "s3cret" not in repr(logs)
    await server.stop()


async def test_a_port_that_is_taken() -> None:
    """A taken port is an OSError at the start, and stopping afterwards is fine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = WebServer(host="127.0.0.1", port=taken.getsockname()[1], ready=Watched().ready)
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
        await server.stop()


async def test_stopping_what_was_never_started() -> None:
    """A server that did not start can be stopped."""
    await WebServer(host="127.0.0.1", port=0, ready=Watched().ready).stop()
