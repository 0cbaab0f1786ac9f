"""Checks of the registered endpoint of interactions."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.doctor.finding import Finding
from bot.doctor.http_probe import post_or_reason
from bot.settings import Settings
from bot.web.interactions import PATH

_PORTAL: Final = "Interactions Endpoint URL on the General Information page of the developer portal"


async def check_interactions(settings: Settings, application: Mapping[str, Any]) -> list[Finding]:
    """Compare INTERACTIONS with Discord's facts about the application."""
    url = application.get("interactions_endpoint_url")
    if settings.interactions == "gateway":
        return [] if url is None else [_sent_elsewhere(url)]
    if not _is_key(application.get("verify_key")):
        what = "Discord names no public key of the application: no interaction over HTTP can be checked"
        return [Finding(good=False, what=what, remedy="Set INTERACTIONS=gateway until Discord names one.")]
    return [_not_registered(settings)] if url is None else [await _registered(settings, url)]


def _sent_elsewhere(url: str) -> Finding:
    return Finding(
        good=False,
        what=f"INTERACTIONS is gateway, but Discord sends interactions to {url}: no command reaches the bot",
        remedy=f"Set INTERACTIONS=http, or remove the {_PORTAL}.",
    )


def _not_registered(settings: Settings) -> Finding:
    """Return the finding about no address; a gateway gets interactions then."""
    return Finding(
        good=settings.shard_ids != "none",
        is_warning=settings.shard_ids != "none",
        what="INTERACTIONS is http, but Discord has no address for them and sends them to the gateway",
        remedy=f"Start the bot, then enter its public address with {PATH} as {_PORTAL}.",
    )


async def _registered(settings: Settings, url: str) -> Finding:
    expected = None if settings.webhook_public_url is None else f"{settings.webhook_public_url}{PATH}"
    if expected is not None and url != expected and urlsplit(url).netloc != urlsplit(expected).netloc:
        return Finding(
            good=True,
            is_warning=True,
            what=f"Discord sends interactions to {url}, and WEBHOOK_PUBLIC_URL is another host",
            remedy=f"Leave it so if both reach the bot. Otherwise enter {expected} as {_PORTAL}.",
        )
    answer = await post_or_reason(url, settings.proxies)
    if not isinstance(answer, str) and answer.status_code == httpx.codes.UNAUTHORIZED:
        return Finding(good=True, what=f"Discord sends interactions to {url}, where a bot checks signatures")
    if isinstance(answer, str) or answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        why = answer if isinstance(answer, str) else f"HTTP {answer.status_code}"
        return Finding(
            good=True,
            is_warning=True,
            what=f"Discord sends interactions to {url}, but no bot answers there yet ({why})",
            remedy=f"Ask again once the bot runs. If it stays so, let the reverse proxy pass {PATH} on to the bot.",
        )
    return Finding(
        good=False,
        what=f"Discord sends interactions to {url}, which answers HTTP {answer.status_code} to one without a signature",
        remedy=f"Let the reverse proxy pass POST {PATH} on to HTTP_HOST:HTTP_PORT unchanged, with the same path.",
    )


def _is_key(text: object) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(text)))
    except ValueError:
        return False
    return True
