"""The health endpoints."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
import structlog
from aiohttp import web

from bot.web.connection_limiter import MOST_VISITORS
from bot.web.server import HealthAddress, WebServer
from tests.web.raw_client import connect_raw

Answer = tuple[int, dict[str, object]]


class Watched:
    """A server with a readiness chosen by the test."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.port = 0

    async def ready(self) -> list[str]:
        """Return the missing parts."""
        return self.missing

    async def get(self, path: str) -> Answer:
        """Return status and body of a page."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else {}


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Yield a running server."""
    made = Watched()
    server = WebServer(host="127.0.0.1", port=0, ready=made.ready)
    made.port = await server.start()
    yield made
    await server.stop()


async def test_healthz_is_ok_while_running(watched: Watched) -> None:
    watched.missing = ["gateway"]
    assert await watched.get("/healthz") == (200, {"status": "ok"})


async def test_readyz_is_ok_when_nothing_is_missing(watched: Watched) -> None:
    assert await watched.get("/readyz") == (200, {"status": "ok", "missing": []})


async def test_readyz_names_missing_parts(watched: Watched) -> None:
    """503 with the missing parts."""
    watched.missing = ["gateway", "database"]
    assert await watched.get("/readyz") == (503, {"status": "not ready", "missing": ["gateway", "database"]})
    watched.missing = []
    assert (await watched.get("/readyz"))[0] == 200


async def test_other_path_is_not_found(watched: Watched) -> None:
    assert (await watched.get("/"))[0] == 404


async def test_connection_serves_one_request(watched: Watched) -> None:
    """Also after a 404."""
    for path in ("/healthz", "/nothing"):
        async with connect_raw(watched.port) as wire:
            await wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert "Connection: close" in await wire.rest()


async def test_unfinished_headers_close_connection() -> None:
    server = WebServer(host="127.0.0.1", port=0, ready=Watched().ready, head_seconds=0.1)
    async with connect_raw(await server.start()) as wire:
        await wire.send("GET /healthz HTTP/1.1\r\n")
        assert await wire.rest() == ""
    await server.stop()


async def test_idle_connections_from_this_machine_keep_no_health_check_out() -> None:
    """As a reverse proxy on this machine passes them on."""
    watched = Watched()
    server = WebServer(host="127.0.0.1", port=0, ready=watched.ready)
    watched.port = await server.start()
    async with AsyncExitStack() as stack:
        for _ in range(300):
            await stack.enter_async_context(connect_raw(watched.port))
        for _ in range(3):
            assert await watched.get("/healthz") == (200, {"status": "ok"})
    await server.stop()


async def test_health_address_has_its_own_connections() -> None:
    """Requests that end late take places only where they were sent."""
    waiting, end = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        waiting.release()
        await end.wait()
        return web.Response()

    watched = Watched()
    server = WebServer(
        host="127.0.0.1",
        port=0,
        ready=watched.ready,
        routes=[web.get("/slow", slow)],
        health=HealthAddress(host="127.0.0.1", port=0),
    )
    with structlog.testing.capture_logs() as logs:
        port = await server.start()
    (watched.port,) = (entry["port"] for entry in logs if entry["event"] == "web.health_listening")
    async with AsyncExitStack() as stack:
        for _ in range(MOST_VISITORS):
            client = await stack.enter_async_context(connect_raw(port))
            await client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            await waiting.acquire()
        async with connect_raw(port) as late:
            assert await late.rest() == ""
        assert await watched.get("/healthz") == (200, {"status": "ok"})
        assert await watched.get("/readyz") == (200, {"status": "ok", "missing": []})
        assert (await watched.get("/slow"))[0] == 404
        end.set()
    await server.stop()


async def some_metrics() -> bytes:
    """Return a page of metrics."""
    return b"atelier_workers 1.0\n"


@pytest.mark.parametrize("beside", [None, HealthAddress(host="127.0.0.1", port=0)])
async def test_metrics_are_at_health_address_if_there_is_one(beside: HealthAddress | None) -> None:
    server = WebServer(host="127.0.0.1", port=0, ready=Watched().ready, health=beside, metrics=some_metrics)
    with structlog.testing.capture_logs() as logs:
        ports = [await server.start()]
    ports += [entry["port"] for entry in logs if entry["event"] == "web.health_listening"]
    answers = []
    async with aiohttp.ClientSession() as session:
        for port in ports:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                answers.append((answer.status, await answer.text(), answer.headers["Content-Type"]))
    await server.stop()
    assert answers[-1] == (200, "atelier_workers 1.0\n", "text/plain; version=0.0.4; charset=utf-8")
    assert [status for status, *_ in answers] == ([200] if beside is None else [404, 200])


async def test_metrics_are_off_by_default(watched: Watched) -> None:
    assert (await watched.get("/metrics"))[0] == 404


async def test_internal_error_is_logged_by_route() -> None:
    """A 500 without details; the path is not logged."""

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


async def test_taken_port_raises_os_error() -> None:
    """Stopping afterwards works."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = WebServer(host="127.0.0.1", port=taken.getsockname()[1], ready=Watched().ready)
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
        await server.stop()


async def test_unstarted_server_can_be_stopped() -> None:
    await WebServer(host="127.0.0.1", port=0, ready=Watched().ready).stop()
