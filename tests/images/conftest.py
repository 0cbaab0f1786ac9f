"""HTTP servers on this machine's loopback."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.images.samples import Handler, Serve


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
