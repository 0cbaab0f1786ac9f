"""Checks of the SKUs with a benefit."""

from typing import Any, Final

import httpx

from bot.doctor.finding import Finding
from bot.doctor.http_probe import ask, discord_headers, unreachable
from bot.domain.premium import Sku, SkuKind, mistakes
from bot.settings import Settings

_AVAILABLE: Final = 1 << 2
_KINDS: Final = {kind.value: kind for kind in SkuKind}


async def check_premium(settings: Settings) -> list[Finding]:
    """Compare PREMIUM_SKUS with the application's SKUs."""
    benefits = settings.premium_plan.benefits
    if not benefits or settings.discord_token is None:
        return []
    headers = discord_headers(settings.discord_token)
    answer = await ask(f"{settings.discord_api_url}/applications/@me", headers, settings.proxies)
    if answer is None or answer.status_code != httpx.codes.OK:
        return []  # `check_discord` says so
    application_id = answer.json()["id"]
    answer = await ask(f"{settings.discord_api_url}/applications/{application_id}/skus", headers, settings.proxies)
    if answer is None or answer.status_code != httpx.codes.OK:
        return [unreachable("Discord's list of SKUs", None if answer is None else answer.status_code, "PREMIUM_SKUS")]
    skus = [_sku(each) for each in answer.json() if each["type"] in _KINDS]
    findings = [
        Finding(
            good=False,
            what=f"PREMIUM_SKUS names {sku_id}: {problem}",
            remedy="Copy the id from the Monetization page of the developer portal, or change what the SKU gives.",
        )
        for sku_id, problem in mistakes(benefits, skus)
    ]
    unsold = [f"{sku.name} ({sku.id})" for sku in skus if sku.id in benefits and not sku.is_sold]
    if unsold:
        remedy = "Publish it in the developer portal. Only a verified application can sell."
        findings.append(Finding(good=True, what=f"nobody can buy {', '.join(unsold)} now", remedy=remedy))
    return findings or [Finding(good=True, what=f"the application has all {len(benefits)} SKUs of PREMIUM_SKUS")]


def _sku(data: dict[str, Any]) -> Sku:
    return Sku(
        id=int(data["id"]),
        name=data["name"],
        kind=_KINDS[data["type"]],
        is_sold=bool(data["flags"] & _AVAILABLE),
    )
