"""Checks of the token and the application's settings at Discord."""

from typing import Any

import httpx

from bot.doctor.finding import Finding
from bot.doctor.http_probe import ask, discord_headers, unreachable
from bot.doctor.interactions import check_interactions
from bot.settings import Settings


async def check_discord(settings: Settings) -> list[Finding]:
    """Check the token, and compare settings with the developer portal.

    Those are USER_INSTALL and INTERACTIONS.
    """
    if settings.discord_token is None:
        return [
            Finding(
                good=False,
                what="DISCORD_TOKEN is not set",
                remedy="Copy the token from the Bot page of the developer portal into .env. `atelier try` needs none.",
            )
        ]
    headers = discord_headers(settings.discord_token)
    answer = await ask(f"{settings.discord_api_url}/applications/@me", headers, settings.proxies)
    if answer is not None and answer.status_code == httpx.codes.OK:
        accepted = Finding(good=True, what="Discord accepts DISCORD_TOKEN")
        installs = _user_install(wanted=settings.user_install, possible=_on_accounts(answer))
        return [accepted, installs, *await check_interactions(settings, _parsed(answer))]
    if answer is not None and answer.status_code == httpx.codes.UNAUTHORIZED:
        remedy = "Copy the token again from the Bot page of the developer portal; resetting it makes the old one void."
        return [Finding(good=False, what="Discord does not accept DISCORD_TOKEN", remedy=remedy)]
    return [unreachable("Discord", None if answer is None else answer.status_code, "DISCORD_API_URL")]


def _parsed(answer: httpx.Response) -> dict[str, Any]:
    """Return the application; nothing of an odd answer."""
    try:
        application = answer.json()
    except ValueError:
        application = None
    return application if isinstance(application, dict) else {}


def _on_accounts(answer: httpx.Response) -> bool:
    """Return True if people can add the application to their accounts.

    That is Discord's installation type 1.
    """
    try:
        return answer.json()["integration_types_config"]["1"] is not None
    except (ValueError, LookupError, TypeError):
        return False


def _user_install(*, wanted: bool, possible: bool) -> Finding:
    setting = f"USER_INSTALL is {'on' if wanted else 'off'}"
    joined = "and" if wanted == possible else "but"
    people = "people add the application to their accounts" if possible else "nobody add the application to an account"
    what = f"{setting}, {joined} Discord lets {people}"
    if wanted and not possible:
        remedy = "Tick User Install on the Installation page of the developer portal, or set USER_INSTALL=off."
        return Finding(good=False, what=what, remedy=remedy)
    # No fault: who has added it only finds no command of the studio's there.
    remedy = "They find no commands there: untick User Install on the Installation page of the developer portal."
    return Finding(good=True, what=what, remedy=remedy if possible and not wanted else "")
