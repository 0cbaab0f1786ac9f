"""Shared HTTP client: httpx's API over aiohttp.

aiohttp costs a fraction of httpx's own processor time.
"""

import ssl
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

_KEEPALIVE_SECONDS: Final = 15.0


class FreshPosts(httpx.AsyncBaseTransport):
    """Sends GETs over pooled connections and each POST over a new one.

    On a pooled connection that the server is just closing, nobody can know whether a POST was taken; a job
    would be given up as perhaps accepted for no reason. A handshake costs nothing against an image's half
    minute. aiohttp sends a GET on such a connection once more, on a new one.
    """

    def __init__(self, *, verify: ssl.SSLContext, max_connections: int) -> None:
        def session(*, fresh: bool) -> aiohttp.ClientSession:
            connector = aiohttp.TCPConnector(
                ssl=verify,
                limit=max_connections,
                force_close=fresh,
                keepalive_timeout=None if fresh else _KEEPALIVE_SECONDS,
            )
            return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

        self._pooled = AiohttpTransport(verify=verify, client=lambda: session(fresh=False))
        self._fresh = AiohttpTransport(verify=verify, client=lambda: session(fresh=True))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        transport = self._fresh if request.method == "POST" else self._pooled
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close both kinds of connection."""
        await self._fresh.aclose()
        await self._pooled.aclose()


def provider_client(*, max_connections: int = 100, verify: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """Return the client shared by all providers; close it with `aclose`.

    It holds no key and no base address, follows no redirect and takes nothing from the environment. At most
    `max_connections` submits and as many status reads run at a time.
    """
    context = verify or httpx.create_ssl_context(trust_env=False)
    return httpx.AsyncClient(
        transport=FreshPosts(verify=context, max_connections=max_connections),
        follow_redirects=False,
        trust_env=False,
    )
