"""Recorded requests, and connections broken on purpose."""

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from sandbox.providers.faults import Endpoint

# Close with a reset and without waiting, as a crashing machine does.
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A received request.

    Header names are in lower case. `body` is its JSON; None if it has none.
    """

    endpoint: Endpoint
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: Any = None


async def read_request(request: web.Request, endpoint: Endpoint) -> RecordedRequest:
    """Read a request for the record."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    return RecordedRequest(
        endpoint=endpoint,
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )


def break_connection(request: web.Request) -> web.StreamResponse:
    """Reset the connection; the returned response is never sent."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response(status=500)
