"""Telling this machine's own requests from those that some other site makes through a visitor's browser."""

from ipaddress import ip_address

from aiohttp import web

_NAMES = ("127.0.0.1", "localhost")


def is_own(request: web.Request) -> bool:
    """Tell whether a request comes from this machine, was meant for it (Host), and is no other site's (Origin).

    Without the Host check a site could point its own name at 127.0.0.1 and would then share an origin with us.
    """
    if request.remote is None or not ip_address(request.remote).is_loopback:
        return False
    if request.host.partition(":")[0] not in _NAMES:
        return False
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    return request.headers.get("Origin") in (None, f"http://{request.host}")
