"""Checks of Discord's state for the bot: logins left and commands.

A Discord without an answer is the finding of another check, so these have none then.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from bot.command_sync import compare_commands
from bot.doctor.finding import Finding
from bot.doctor.http_probe import ask, discord_headers
from bot.gateway import GatewayInfo
from bot.settings import Settings

_NAMES_SHOWN: Final = 5


async def check_logins(settings: Settings) -> list[Finding]:
    """Check the number of IDENTIFYs left for today, if any is needed."""
    if settings.shard_ids == "none":
        return []
    answer = await _read(settings, "/gateway/bot")
    if answer is None:
        return []
    info = GatewayInfo.from_answer(answer["shards"], answer["url"], answer["session_start_limit"])
    hours = round(info.reset_after.total_seconds() / 3600)
    if info.is_used_up:
        what = f"Discord allows {info.remaining} more logins of the bot for {hours} hours: a start waits for the reset"
        remedy = "Find out why the bot starts so often. Over 1,000 times a day Discord resets the token."
        return [Finding(good=False, what=what, remedy=remedy)]
    return [Finding(good=True, what=f"Discord allows {info.remaining} more logins of the bot today")]


async def check_commands(settings: Settings, payload: Callable[[], Awaitable[list[dict[str, Any]]]]) -> list[Finding]:
    """Compare Discord's commands with the bot's, from `payload`."""
    application = await _read(settings, "/applications/@me")
    if application is None or not settings.providers:
        return []
    held = await _read(settings, f"/applications/{application['id']}/commands?with_localizations=true")
    if held is None:
        return []
    if not held:
        return [Finding(good=True, what="no command is registered with Discord yet: the first start does it")]
    changes = compare_commands(await payload(), held)
    if not changes:
        return [Finding(good=True, what="the commands are registered with Discord")]
    parts = (("missing", changes.added), ("different", changes.changed), ("foreign", changes.removed))
    named = "; ".join(f"{word}: {_listed(names)}" for word, names in parts if names)
    remedy = (
        "Run `atelier sync`; the next start does it too. If they differ again later, another program uses this token:"
        " give it a separate one."
    )
    return [Finding(good=False, what=f"Discord has other commands than this bot ({named})", remedy=remedy)]


async def _read(settings: Settings, path: str) -> Any:
    """Return the JSON of Discord's answer, or None without one."""
    if settings.discord_token is None:
        return None
    headers = discord_headers(settings.discord_token)
    answer = await ask(f"{settings.discord_api_url}{path}", headers, settings.proxies)
    return answer.json() if answer is not None and answer.status_code == httpx.codes.OK else None


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
