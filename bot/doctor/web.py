"""Checks of the bot's addresses for others."""

import socket
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx

from bot.doctor.finding import Finding
from bot.doctor.http_probe import ask, ask_or_reason
from bot.images.address_policy import is_public
from bot.images.url_policy import Lookup, system_lookup
from bot.proxies import Proxies
from bot.settings import Settings
from bot.web.served_files import FILE_POLICY

_HTTPS: Final = 443


async def check_ports(settings: Settings) -> list[Finding]:
    """Bind each address of the bot."""
    findings = [await _port("HTTP", settings.http_host, settings.http_port)]
    if settings.health_port is not None:
        findings.append(await _port("HEALTH", settings.health_host, settings.health_port))
    elif settings.metrics and (settings.webhook_public_url is not None or settings.interactions == "http"):
        findings.append(
            Finding(
                good=True,
                is_warning=True,
                what="METRICS is on without HEALTH_PORT: /metrics is served where the internet reaches HTTP_PORT",
                remedy="Set HEALTH_PORT to a free port, or let the reverse proxy pass on the bot's other paths alone.",
            )
        )
    return findings


async def _port(variable: str, host: str, port: int) -> Finding:
    shown = f"{variable}_HOST:{variable}_PORT {f'[{host}]' if ':' in host else host}:{port}"
    try:
        _bind(host, port)
    except OSError as error:
        if await _is_atelier(host, port):
            return Finding(good=True, what=f"{shown} is used by a running Atelier")
        return Finding(
            good=False,
            what=f"{shown} cannot be used: {error.strerror or type(error).__name__}",
            remedy=f"Set {variable}_PORT to a free port above 1023, and {variable}_HOST to an address of this machine.",
        )
    return Finding(good=True, what=f"{shown} is free")


def _bind(host: str, port: int) -> None:
    """Bind the addresses of a host, as the bot does; raises OSError."""
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
            probe.listen(1)


async def _is_atelier(host: str, port: int) -> bool:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    answer = await ask(f"http://{f'[{reached}]' if ':' in reached else reached}:{port}/healthz", {})
    try:
        return answer is not None and answer.json() == {"status": "ok"}
    except ValueError:
        return False


async def check_webhook(settings: Settings, lookup: Lookup = system_lookup) -> list[Finding]:
    """Check that the public address reaches a running bot."""
    if settings.webhook_public_url is None:
        return [Finding(good=True, what="WEBHOOK_PUBLIC_URL is not set: the providers are polled")]
    refusing = [
        spec.display_name
        for spec in settings.specs.values()
        if spec.needs_public_webhooks and not _is_private(settings.api_url_of(spec.name))
    ]
    if _is_private(settings.webhook_public_url) and refusing:
        what = f"WEBHOOK_PUBLIC_URL is not a public address: {refusing[0]} refuses every job that names one"
        remedy = "Set it to the https address at which the internet reaches the bot, or leave it unset."
        return [Finding(good=False, what=what, remedy=remedy)]
    is_direct = settings.proxies.find(settings.webhook_public_url) is None
    fault = await _unresolved(settings.webhook_public_url, lookup, is_remote=bool(refusing)) if is_direct else None
    if fault is not None:
        return [fault]
    answer = await ask_or_reason(f"{settings.webhook_public_url}/healthz", {}, settings.proxies)
    if not isinstance(answer, str) and answer.status_code == httpx.codes.OK:
        return [await _inputs(settings.webhook_public_url, settings.proxies)]
    # No fault: the bot may not have been started yet, a machine may not reach itself from outside, and a proxy may
    # pass on no more than /webhooks.
    why = answer if isinstance(answer, str) else f"HTTP {answer.status_code}"
    what = f"WEBHOOK_PUBLIC_URL is set, but no bot answers there yet ({why})"
    remedy = (
        "Ask again once the bot runs. If it stays so, let the reverse proxy pass this address on to"
        " HTTP_HOST:HTTP_PORT. Until then the providers are polled."
    )
    return [Finding(good=True, what=what, remedy=remedy)]


async def _unresolved(url: str, lookup: Lookup, *, is_remote: bool) -> Finding | None:
    """Return the fault of a host without a usable address, or None.

    `is_remote`: a provider elsewhere has to reach it.
    """
    host = urlsplit(url).hostname or ""
    try:
        addresses = await lookup(host, urlsplit(url).port or _HTTPS)
    except (OSError, UnicodeError):  # the latter for a label that no DNS name can have
        remedy = "Look for a mistake in it and at the DNS of the domain. Until then no provider can reach the bot."
        return Finding(good=False, what=f"WEBHOOK_PUBLIC_URL: {host} cannot be resolved", remedy=remedy)
    private = next((address for address in addresses if not is_public(address)), None)
    if private is None or not is_remote:
        return None
    remedy = "Providers on the internet cannot reach it, unless they resolve the name to another address."
    what = f"WEBHOOK_PUBLIC_URL: {host} resolves to {private}, which is not a public address"
    return Finding(good=True, is_warning=True, what=what, remedy=remedy)


async def _inputs(url: str, proxies: Proxies) -> Finding:
    """Return whether a running bot's input images can be asked for."""
    answer = await ask_or_reason(f"{url}/inputs/atelier-doctor", {}, proxies)
    if not isinstance(answer, str) and answer.status_code == httpx.codes.NOT_FOUND and _is_own(answer):
        return Finding(good=True, what="WEBHOOK_PUBLIC_URL is set and reaches a running bot")
    why = answer if isinstance(answer, str) else f"HTTP {answer.status_code}"
    what = f"WEBHOOK_PUBLIC_URL reaches a running bot, but not its /inputs ({why})"
    remedy = (
        "Let the reverse proxy pass on /inputs as well: providers fetch the pictures of /edit there. Restart the bot if"
        " it was started before the address was set."
    )
    return Finding(good=False, what=what, remedy=remedy)


def _is_own(answer: httpx.Response) -> bool:
    """Return False for a proxy's answer: its 404 looks the same."""
    return FILE_POLICY in answer.headers.get("Content-Security-Policy", "")


def _is_private(url: str) -> bool:
    """Return True if a URL names this machine or a private network.

    Names are not looked up.
    """
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
