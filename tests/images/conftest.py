"""HTTP servers on loopback, and decoders as the bot starts them."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.images.decoder_process import DecoderProcess
from tests.images.samples import Handler, Serve

_START: Final = DecoderProcess._start


@pytest.fixture(autouse=True)
def _started_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start decoders instead of forking them."""
    monkeypatch.setattr(DecoderProcess, "_start", _START)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Yield a starter of servers with one handler for every path.

    The starter returns the address without a path.
    """
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server(shutdown_timeout=0)
        servers.append(server)
        return f"http://127.0.0.1:{server.port}"

    yield start
    for server in servers:
        await server.close()
