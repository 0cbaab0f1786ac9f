"""HTTP transport of image downloads.

No cookies, no keys; the URL is sent as given.
"""

import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport
from yarl import URL


class _Verbatim:
    """URL for aiohttp without re-quoting.

    Re-quoting (`%2F` to `/`) breaks URLs signed as text.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def request(self, *, method: str, url: str, **options: Any) -> Any:
        return self._session.request(method, URL(url, encoded=True), **options)


class ImageTransport(AiohttpTransport):
    """httpx transport over a private aiohttp session.

    It is used directly rather than through an `httpx.AsyncClient`, because that would keep cookies, turn a
    URL's user and password into a header, and log every URL.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext,
        resolver: AbstractResolver | None = None,
        socket_factory: Callable[[tuple[Any, ...]], socket.socket] | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(verify=verify, trust_env=False)
        self._resolver = resolver
        self._socket_factory = socket_factory
        self._proxy_url = proxy
        self._session: aiohttp.ClientSession | None = None

    def get_client(self) -> aiohttp.ClientSession:
        """Return the session.

        It is made at the first request, when an event loop runs.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self.ssl_context,
                    resolver=self._resolver,
                    # Each connection is checked by a separate look-up.
                    use_dns_cache=False,
                    socket_factory=self._socket_factory,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                proxy=self._proxy_url,
            )
        return cast("aiohttp.ClientSession", _Verbatim(self._session))

    async def aclose(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
