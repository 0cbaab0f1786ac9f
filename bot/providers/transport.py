"""Shared HTTP client: httpx's API over aiohttp.

aiohttp costs a fraction of httpx's own processor time.
"""

import ssl
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from bot.proxies import DIRECT, Proxies

_KEEPALIVE_SECONDS: Final = 15.0


class FreshPosts(httpx.AsyncBaseTransport):
    """Sends GETs over pooled connections and each POST over a new one.

    On a pooled connection that the server is just closing, nobody can know whether a POST was taken; a job
    would be given up as perhaps accepted for no reason. A handshake costs nothing against an image's half
    minute. aiohttp sends a GET on such a connection once more, on a new one.
    """

    def __init__(self, *, verify: ssl.SSLContext, max_connections: int, proxies: Proxies = DIRECT) -> None:
        self._verify = verify
        self._max_connections = max_connections
        self._proxies = proxies
        self._transports: dict[tuple[bool, str | None], AiohttpTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, through the proxy if its host needs it."""
        key = (request.method == "POST", self._proxies.find(str(request.url)))
        if key not in self._transports:
            self._transports[key] = AiohttpTransport(verify=self._verify, client=lambda: self._open(*key))
        return await self._transports[key].handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _open(self, fresh: bool, proxy: str | None) -> aiohttp.ClientSession:  # noqa: FBT001 - the parts of a key
        connector = aiohttp.TCPConnector(
            ssl=self._verify,
            limit=self._max_connections,
            force_close=fresh,
            keepalive_timeout=None if fresh else _KEEPALIVE_SECONDS,
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, proxy=proxy
        )


def provider_client(
    *, max_connections: int = 100, verify: ssl.SSLContext | None = None, proxies: Proxies = DIRECT
) -> httpx.AsyncClient:
    """Return the client shared by all providers; close it with `aclose`.

    It holds no key and no base address, follows no redirect and takes nothing from the environment but the settings'
    `proxies`. At most `max_connections` submits and as many status reads run at a time.
    """
    context = verify or httpx.create_ssl_context(trust_env=False)
    return httpx.AsyncClient(
        transport=FreshPosts(verify=context, max_connections=max_connections, proxies=proxies),
        follow_redirects=False,
        trust_env=False,
    )
