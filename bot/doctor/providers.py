"""Checks of the providers' keys."""

import httpx

from bot.doctor.finding import Finding
from bot.doctor.http_probe import get_status, unreachable
from bot.providers.registry import PROVIDERS
from bot.settings import Settings


async def check_keys(settings: Settings) -> list[Finding]:
    """Check each key by asking its provider for an impossible job.

    That is free, and its status shows whether the key is accepted.
    """
    findings: list[Finding] = []
    for name, spec in PROVIDERS.items():
        key = settings.key_of(name)
        if key is None:
            continue
        status = await get_status(
            f"{settings.api_url_of(name)}{spec.probe_path}",
            {"Authorization": f"Bearer {key.get_secret_value()}"},
            settings.proxies,
        )
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            remedy = "Copy the key anew from the provider's dashboard; SkillBoss takes wholesale keys only."
            findings.append(Finding(good=False, what=f"{name} does not accept {spec.key_variable}", remedy=remedy))
        elif status is None or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            findings.append(unreachable(name, status, spec.url_variable))
        else:
            findings.append(Finding(good=True, what=f"{name} accepts {spec.key_variable}"))
    if not findings:
        remedy = f"Set {' or '.join(spec.key_variable for spec in PROVIDERS.values())} in .env."
        findings.append(Finding(good=False, what="no provider has a key", remedy=remedy))
    return findings
