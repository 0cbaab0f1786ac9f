"""Checks of the proxy for outgoing requests."""

import asyncio
import os
import socket
from typing import Final
from urllib.parse import urlsplit

from bot.doctor.finding import Finding
from bot.settings import Settings

PICTURE_HOST: Final = "cdn.discordapp.com"
"""The host of members' pictures, which must be known to this machine."""


async def check_proxy(settings: Settings) -> list[Finding]:
    """Check the proxy's address, and the look-up of names beside it."""
    address = settings.proxies.address
    if address is None:
        return _ignored()
    proxy = urlsplit(settings.proxies.url or "")
    if not await _is_reachable(str(proxy.hostname), proxy.port or (443 if proxy.scheme == "https" else 80)):
        what = f"the proxy {address} of HTTPS_PROXY cannot be reached"
        return [Finding(good=False, what=what, remedy="Correct HTTPS_PROXY, or remove it to connect directly.")]
    except_for = f", except for {settings.no_proxy}" if settings.no_proxy else ""
    findings = [
        Finding(good=True, what=f"Discord, providers and pictures are reached by the proxy {address}{except_for}")
    ]
    if not await _is_known(PICTURE_HOST):
        what = f"this machine cannot look up {PICTURE_HOST}: pictures are fetched from addresses checked here"
        remedy = "Give this machine a DNS server that knows public names; the proxy's own look-up is not used."
        findings.append(Finding(good=False, what=what, remedy=remedy))
    return findings


def _ignored() -> list[Finding]:
    """Return a note if only a variable without effect names a proxy."""
    names = [name for name in ("ALL_PROXY", "HTTP_PROXY") if os.environ.get(name) or os.environ.get(name.lower())]
    if not names:
        return []
    what = f"{' and '.join(names)} without effect: the bot reads HTTPS_PROXY only, and connects directly"
    remedy = "Set HTTPS_PROXY if this machine needs a proxy."
    return [Finding(good=True, what=what, remedy=remedy, is_warning=True)]


async def _is_reachable(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # a TimeoutError too
        return False
    writer.close()
    return True


async def _is_known(host: str) -> bool:
    try:
        await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return True
