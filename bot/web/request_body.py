"""Bodies of requests from the internet, within limits of size and time."""

import asyncio
from typing import Final

from aiohttp import web

READ_SECONDS: Final = 3.0
"""Seconds to send a body.

Less than a health check waits: by then the places that slow bodies took are free again.
"""


async def read_body(request: web.Request, *, most: int, seconds: float = READ_SECONDS) -> bytes:
    """Return the body of a request.

    No more than `most` bytes are ever held, and no sender is waited for longer than `seconds`.

    Raises:
        web.HTTPRequestEntityTooLarge: it is larger.
        web.HTTPRequestTimeout: it takes longer.
        web.HTTPBadRequest: the connection broke.
    """
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):
        raise web.HTTPBadRequest from None
    return bytes(body)
