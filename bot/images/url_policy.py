"""Rules for image URLs: public addresses over HTTPS.

The address is checked again at the moment of connecting.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.domain.errors import ImageError, ImageProblem
from bot.images.address_policy import TrustedNetworks, is_public

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves (host, port) to IP addresses as text; raises OSError where there are none."""

Origin = tuple[str, str, int]
"""Scheme, host, port."""

_NOTHING_TRUSTED: Final = TrustedNetworks()
RESOLVED: Final = "resolved"
"""The detail of a host with a forbidden address: its name server may be at fault, not the URL."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65535


def forbidden(detail: str) -> ImageError:
    """Return the error of a forbidden URL; `detail` must not hold the URL."""
    return ImageError(ImageProblem.FORBIDDEN_ADDRESS, detail)


def origin(url: httpx.URL) -> Origin:
    """Return scheme, host and port: they decide whether a URL is exempt."""
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme, 0)


def is_allowed(address: str, trusted: TrustedNetworks) -> bool:
    """Return True if an address is public or trusted."""
    return is_public(address) or trusted.has(address)


def host_of(url: str) -> str:
    """Return the host of a URL; empty if it is malformed."""
    try:
        return httpx.URL(url).host
    except (httpx.InvalidURL, ValueError):
        return ""


def check_public(url: httpx.URL, trusted: TrustedNetworks = _NOTHING_TRUSTED) -> None:
    """Check for HTTPS and for a name or an allowed IP address as host.

    A host that a resolver might read as a number (decimal, octal, hexadecimal, shortened) must be a canonical
    address. A name is checked later, by the addresses it resolves to.

    Raises:
        ImageError: FORBIDDEN_ADDRESS.
    """
    if url.scheme != "https":
        raise forbidden("scheme")
    host = url.host
    last = host.rstrip(".").rpartition(".")[2]
    if ":" in host or last.isdigit() or last.startswith("0x"):
        if not is_allowed(host, trusted):
            raise forbidden("address")
    elif not host or "%" in host:
        raise forbidden("host")


def check_shape(url: httpx.URL) -> None:
    """Refuse a URL with a user and password, or with an impossible port.

    Raises:
        ImageError: FORBIDDEN_ADDRESS.
    """
    if url.userinfo:
        raise forbidden("userinfo")
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        raise forbidden("port")


async def system_lookup(host: str, port: int) -> list[str]:
    """Resolve as the operating system does."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class PublicResolver(AbstractResolver):
    """Resolver for aiohttp, limited to public and trusted addresses.

    aiohttp connects to exactly these addresses, so no second look-up can differ. A host with any other address
    is refused as a whole, because it is misconfigured or an attack.
    """

    def __init__(self, lookup: Lookup, trusted: TrustedNetworks = _NOTHING_TRUSTED) -> None:
        self._lookup = lookup
        self._trusted = trusted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the host's addresses.

        Raises:
            ImageError: FORBIDDEN_ADDRESS.
            OSError: The host has no address.
        """
        try:
            addresses = await self._lookup(host, port)
        except UnicodeError:  # a label that no DNS name can have
            raise forbidden("host") from None
        if not all(is_allowed(address, self._trusted) for address in addresses):
            raise forbidden(RESOLVED)
        results = [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]
        if family != socket.AF_UNSPEC:
            results = [result for result in results if result["family"] == family]
        if not results:
            raise OSError(socket.EAI_NONAME, "no address")
        return results

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def public_socket(found: tuple[Any, ...], trusted: TrustedNetworks = _NOTHING_TRUSTED) -> socket.socket:
    """Make the socket of one connection.

    This is the last check, because aiohttp resolves no IP literal. `found` is one row of `getaddrinfo`.

    Raises:
        ImageError: FORBIDDEN_ADDRESS.
    """
    family, kind, proto, _, sockaddr = found
    if not is_allowed(sockaddr[0], trusted):
        raise forbidden("connect")
    return socket.socket(family=family, type=kind, proto=proto)
