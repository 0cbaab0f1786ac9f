"""Check that a request comes from this machine and no other site."""

from ipaddress import ip_address

from aiohttp import web

_NAMES = ("127.0.0.1", "localhost")


def is_own(request: web.Request) -> bool:
    """Return True if a request comes from this machine and its own page.

    Its Host must be this machine and its Origin no other site. Without the Host check a site could point its own name
    at 127.0.0.1 and share an origin with us.
    """
    if request.remote is None or not ip_address(request.remote).is_loopback:
        return False
    if request.host.partition(":")[0] not in _NAMES:
        return False
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    return request.headers.get("Origin") in (None, f"http://{request.host}")
