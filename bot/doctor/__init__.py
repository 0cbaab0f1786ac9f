"""Checks of `atelier doctor`: each need of the bot, and its remedy.

One module per group of checks. A check takes the settings and returns its findings.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from bot.doctor.discord_application import check_discord
from bot.doctor.finding import Finding
from bot.doctor.providers import check_keys
from bot.doctor.storage import DATABASE_FAULTS, check_database, check_folder
from bot.doctor.web import check_webhook
from bot.settings import Settings

__all__ = ["DATABASE_FAULTS", "Finding", "examine"]

# In the order of the output.
_CHECKS: Final[tuple[Callable[[Settings], Awaitable[list[Finding]]], ...]] = (
    check_folder,
    check_database,
    check_discord,
    check_keys,
    check_webhook,
)


async def examine(settings: Settings) -> list[Finding]:
    """Run every check; no finding ever holds a secret."""
    return [finding for check in _CHECKS for finding in await check(settings)]
