"""Download of one image from an untrusted URL to a temporary file."""

import asyncio
import os
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import aiohttp
import httpx
import structlog

from bot.domain.errors import ImageError, ImageProblem
from bot.images.address_policy import TrustedNetworks
from bot.images.decompress import transfer_decoder
from bot.images.transport import ImageTransport
from bot.images.url_policy import (
    Lookup,
    PublicResolver,
    check_public,
    check_shape,
    forbidden,
    is_allowed,
    origin,
    public_socket,
    system_lookup,
)
from bot.proxies import DIRECT, Proxies

MAX_BYTES: Final = 40 * 1024 * 1024

_MAX_REDIRECTS: Final = 5
_WRITE_BYTES: Final = 1024 * 1024
_HEADERS: Final = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "Atelier"}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 429})
_UNCONNECTED: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,  # the proxy does not open the way: some refuse addresses
)
_WORTH_ANOTHER_TRY: Final = frozenset({ImageProblem.UNREACHABLE, ImageProblem.TRUNCATED})

NO_CONNECTION: Final = "no connection"
"""The start of the detail of a host that could not be connected to, also if a proxy refuses to."""

Claim = Callable[[int], None]
"""Reserves the space of an image before it is written; raises if there is too little."""

_log = structlog.get_logger(__name__)


def _claim_nothing(_: int) -> None:
    """Accept any size."""


class ImageDownloader:
    """Downloads images over HTTPS from public addresses only.

    The address is checked at every connection and every redirect. `exempt` are URLs with an origin (scheme,
    host, port) at any address, such as a sandbox on this machine; a redirect away from them is checked like any
    other. `trusted` are networks of the operator that may be reached too. `max_bytes` caps the body, after
    inflating. `total_seconds` bounds one attempt. `pauses` are the seconds before each further attempt, so their
    number is the number of repetitions. `redirects` is the maximum of redirects. `verify` shares one TLS context,
    because making one is costly. No cookie, key or referrer is ever sent, and no URL gets into an error or a log.

    Through a proxy, a host that is not exempt is looked up and checked here, and the proxy is given the checked
    address: the proxy's own look-up could differ. TLS still verifies the host's name.
    """

    def __init__(
        self,
        *,
        exempt: Iterable[str] = (),
        max_bytes: int = MAX_BYTES,
        connect_seconds: float = 10,
        read_seconds: float = 20,
        total_seconds: float = 120,
        pauses: Sequence[float] = (0.5, 2.0),
        redirects: int = _MAX_REDIRECTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        lookup: Lookup = system_lookup,
        verify: ssl.SSLContext | None = None,
        proxies: Proxies = DIRECT,
        trusted: TrustedNetworks = TrustedNetworks(),  # noqa: B008 - immutable
    ) -> None:
        self.downloaded_bytes = 0
        self._exempt = frozenset(origin(httpx.URL(url)) for url in exempt)
        self._max_bytes = max_bytes
        self._timeout = httpx.Timeout(read_seconds, connect=connect_seconds).as_dict()
        self._total_seconds = total_seconds
        self._pauses = tuple(pauses)
        self._redirects = redirects
        self._sleep = sleep
        verify = verify or httpx.create_ssl_context(trust_env=False)
        self._trusted_networks = trusted
        self._public = ImageTransport(
            verify=verify,
            resolver=PublicResolver(lookup, trusted),
            socket_factory=partial(public_socket, trusted=trusted),
        )
        # Apart, so that what is allowed for an exempt origin can never serve another.
        self._trusted = ImageTransport(verify=verify)
        self._resolver = PublicResolver(lookup, trusted)
        self._proxies = proxies
        self._proxied = ImageTransport(verify=verify, proxy=proxies.url)

    async def fetch(self, url: str, *, into: Path, claim: Claim = _claim_nothing) -> Path:
        """Return a new file in the folder `into` with the body of `url`.

        The caller removes the file. On any error and on cancellation no file is left. `claim` is called with the body's
        size before it is read, or with `max_bytes` if the size is unknown; what it raises ends the download.

        Raises:
            ImageError: GONE (404, 410 and other refusals), UNREACHABLE (5xx, 408, 425, 429, timeouts, no
                connection, too many redirects), TRUNCATED, TOO_LARGE, FORBIDDEN_ADDRESS, or NOT_A_PICTURE (no body,
                or an unknown encoding).
            OSError: The file cannot be written.
        """
        for pause in self._pauses:
            try:
                return await self._attempt(url, into, claim)
            except ImageError as error:
                if error.problem not in _WORTH_ANOTHER_TRY:
                    raise
                _log.info("picture_fetched_again", problem=error.problem.value, detail=error.detail, pause=pause)
            await self._sleep(pause)
        return await self._attempt(url, into, claim)

    async def probe(self, url: str) -> None:
        """Connect to the host of a URL; any answer will do.

        Raises:
            ImageError: FORBIDDEN_ADDRESS or UNREACHABLE.
        """
        with _as_image_errors():
            async with asyncio.timeout(self._total_seconds):
                response = await self._get(httpx.URL(url).copy_with(path="/", query=None, fragment=None))
                await response.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self._public.aclose()
        await self._trusted.aclose()
        await self._proxied.aclose()

    async def _attempt(self, url: str, into: Path, claim: Claim) -> Path:
        with _new_file(into) as (path, file), _as_image_errors():
            async with asyncio.timeout(self._total_seconds):
                await self._follow(url, file, claim)
        return path

    async def _follow(self, address: str, file: IO[bytes], claim: Claim) -> None:
        url = httpx.URL(address)
        for _ in range(1 + self._redirects):
            response = await self._get(url)
            try:
                location = response.headers.get("Location")
                if location is None or response.status_code not in _REDIRECTS:
                    _check_status(response.status_code)
                    await self._save(response, file, claim)
                    return
                url = url.join(location)
            finally:
                await response.aclose()
        raise ImageError(ImageProblem.UNREACHABLE, "redirects")

    async def _get(self, url: httpx.URL) -> httpx.Response:
        check_shape(url)
        is_exempt = origin(url) in self._exempt
        if not is_exempt:
            check_public(url, self._trusted_networks)
        headers = dict(_HEADERS)
        extensions: dict[str, Any] = {"timeout": self._timeout}
        if self._proxies.find(str(url)) is None:
            transport = self._trusted if is_exempt else self._public
        else:
            transport = self._proxied
            if not is_exempt:
                headers["Host"] = url.netloc.decode("ascii")
                extensions["sni_hostname"] = url.host
                url = url.copy_with(host=await self._checked_address(url))
        request = httpx.Request("GET", url, headers=headers, extensions=extensions)
        return await transport.handle_async_request(request)

    async def _checked_address(self, url: httpx.URL) -> str:
        """Return an allowed IP address of the host, preferably an IPv4 one."""
        if is_allowed(url.host, self._trusted_networks):
            return f"[{url.host}]" if ":" in url.host else url.host
        try:
            found = await self._resolver.resolve(url.host, url.port or 443)
        except OSError:
            raise ImageError(ImageProblem.UNREACHABLE, f"{NO_CONNECTION}: lookup") from None
        addresses = sorted((each["host"] for each in found), key=lambda address: ":" in address)
        return f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]

    async def _save(self, response: httpx.Response, file: IO[bytes], claim: Claim) -> None:
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise ImageError(ImageProblem.TOO_LARGE, "bytes")
        encoding = response.headers.get("Content-Encoding", "")
        decoder = transfer_decoder(encoding)
        claim(int(declared) if declared.isdecimal() and not encoding else self._max_bytes)
        size = 0
        waiting = bytearray()
        try:
            async for chunk in response.aiter_raw():
                for block in decoder.feed(chunk):
                    size += len(block)
                    self.downloaded_bytes += len(block)
                    if size > self._max_bytes:
                        raise ImageError(ImageProblem.TOO_LARGE, "bytes")
                    waiting += block
                    if len(waiting) >= _WRITE_BYTES:
                        # A slow disk must not hold up the event loop.
                        await asyncio.to_thread(file.write, bytes(waiting))
                        waiting.clear()
        except httpx.ReadError:
            raise ImageError(ImageProblem.TRUNCATED, "transfer") from None
        decoder.finish()
        await asyncio.to_thread(file.write, bytes(waiting))


@contextmanager
def _as_image_errors() -> Iterator[None]:
    """Turn HTTP faults into `ImageError`.

    The errors have no cause, because a cause would name the URL.
    """
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        # ValueError is what the libraries for names and addresses raise on odd ones (IDNA, surrogates, brackets).
        raise forbidden("malformed") from None
    except (TimeoutError, httpx.HTTPError, aiohttp.ClientError) as error:
        # The cause is aiohttp's own error, which tells a failed look-up from a timeout.
        why = type(error.__cause__ or error).__name__
        is_unconnected = isinstance(error, _UNCONNECTED)
        detail = f"{NO_CONNECTION}: {why}" if is_unconnected else why
        raise ImageError(ImageProblem.UNREACHABLE, detail) from None


@contextmanager
def _new_file(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Create a file, and delete it if the block fails."""
    handle, name = tempfile.mkstemp(dir=folder, prefix="download-")
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield path, file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _check_status(status: int) -> None:
    """Raise `ImageError` unless a final answer carries a picture."""
    if status == httpx.codes.OK:
        return
    detail = f"status {status}"
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _PASSING:
        raise ImageError(ImageProblem.UNREACHABLE, detail)
    # A signed address that has expired answers 401 or 403: there is nothing to wait for.
    if status >= httpx.codes.BAD_REQUEST:
        raise ImageError(ImageProblem.GONE, detail)
    raise ImageError(ImageProblem.NOT_A_PICTURE, detail)
