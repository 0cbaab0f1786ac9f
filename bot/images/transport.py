"""The HTTP transport that pictures come through: no cookies, no proxies, no keys, the address sent as it was given."""

import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport
from yarl import URL


class _Verbatim:
    """Hands addresses to aiohttp without its re-quoting (`%2F` to `/`), which breaks those that are signed as text."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def request(self, *, method: str, url: str, **options: Any) -> Any:
        return self._session.request(method, URL(url, encoded=True), **options)


class ImageTransport(AiohttpTransport):
    """httpx's transport over an aiohttp session of its own.

    It is used directly rather than through an `httpx.AsyncClient`, which would keep cookies, turn an address's user
    and password into a header, and log every address.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext,
        resolver: AbstractResolver | None = None,
        socket_factory: Callable[[tuple[Any, ...]], socket.socket] | None = None,
    ) -> None:
        super().__init__(verify=verify, trust_env=False)
        self._resolver = resolver
        self._socket_factory = socket_factory
        self._session: aiohttp.ClientSession | None = None

    def get_client(self) -> aiohttp.ClientSession:
        """Return what sends requests; the session is made at the first one, when an event loop runs."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self.ssl_context,
                    resolver=self._resolver,
                    # Each connection is judged by a look-up of its own.
                    use_dns_cache=False,
                    socket_factory=self._socket_factory,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return cast("aiohttp.ClientSession", _Verbatim(self._session))

    async def aclose(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
