"""Recorded requests, and connections broken on purpose."""

import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from sandbox.providers.faults import Endpoint
from sandbox.providers.multipart import form_json, is_multipart, parse_multipart

# Close with a reset and without waiting, as a crashing machine does.
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A received request.

    Header names are in lower case. `body` is its JSON, or its form with a description of each file; None if it has
    neither.
    """

    endpoint: Endpoint
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: Any = None


async def read_request(request: web.Request, endpoint: Endpoint) -> RecordedRequest:
    """Read a request for the record."""
    content_type = request.headers.get("Content-Type", "")
    content = await request.read()
    try:
        body = form_json(parse_multipart(content_type, content)) if is_multipart(content_type) else json.loads(content)
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


async def send_half(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Send half of an answer's body, then close the connection."""
    body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
    response = web.StreamResponse(
        status=answer.status,
        headers={"Content-Type": answer.content_type, "Content-Length": str(max(2, len(body)))},
    )
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()  # closes once the written half is sent
    return response
