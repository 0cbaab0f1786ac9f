"""Checks of the addresses at which others reach the bot."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from bot.doctor.finding import Finding
from bot.doctor.http_probe import get_status
from bot.providers.registry import PROVIDERS
from bot.settings import Settings


async def check_webhook(settings: Settings) -> list[Finding]:
    """Check that the public address reaches a running bot."""
    if settings.webhook_public_url is None:
        return [Finding(good=True, what="WEBHOOK_PUBLIC_URL is not set: the providers are polled")]
    refusing = [
        spec.display_name
        for spec in PROVIDERS.values()
        if spec.needs_public_webhooks and not _is_private(settings.api_url_of(spec.name))
    ]
    if _is_private(settings.webhook_public_url) and refusing:
        what = f"WEBHOOK_PUBLIC_URL is not a public address: {refusing[0]} refuses every job that names one"
        remedy = "Set it to the https address at which the internet reaches the bot, or leave it unset."
        return [Finding(good=False, what=what, remedy=remedy)]
    status = await get_status(f"{settings.webhook_public_url}/healthz", {})
    if status == httpx.codes.OK:
        return [Finding(good=True, what="WEBHOOK_PUBLIC_URL is set and reaches a running bot")]
    # No fault: the bot may not have been started yet, a machine may not reach itself from outside, and a proxy may
    # pass on no more than /webhooks.
    why = "no connection" if status is None else f"HTTP {status}"
    what = f"WEBHOOK_PUBLIC_URL is set, but no bot answers there yet ({why})"
    remedy = (
        "Ask again once the bot runs. If it stays so, let the reverse proxy pass this address on to"
        " HTTP_HOST:HTTP_PORT. Until then the providers are polled."
    )
    return [Finding(good=True, what=what, remedy=remedy)]


def _is_private(url: str) -> bool:
    """Return True if a URL names this machine or a private network.

    Names are not looked up.
    """
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
