"""Choice of the proxy for an outgoing request."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks it

_TUNNELLED: Final = frozenset({"https", "wss"})


@dataclass(frozen=True, slots=True)
class Proxies:
    """The operator's HTTP proxy, and the exceptions from it.

    `url` may hold a user and password. `bypass` lists host names, domains and `*`, as in NO_PROXY. This machine is
    always reached directly, and so is an unencrypted address.
    """

    url: str | None = field(default=None, repr=False)
    bypass: str = ""

    def find(self, url: str) -> str | None:
        """Return the proxy for a URL, or None to connect directly."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if self.url is None or parts.scheme not in _TUNNELLED or _is_this_machine(host):
            return None
        place = host if parts.port is None else f"{host}:{parts.port}"
        return None if proxy_bypass_environment(place, {"no": self.bypass}) else self.url

    @property
    def address(self) -> str | None:
        """The proxy's host and port, without user and password."""
        if self.url is None:
            return None
        parts = urlsplit(self.url)
        return parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"


DIRECT: Final = Proxies()
"""No proxy."""


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
