"""Checks of `atelier doctor`: each need of the bot, and its remedy.

One module per group of checks. A check takes the settings and returns its findings.
"""

from collections.abc import Awaitable, Callable
from functools import partial, update_wrapper
from typing import Any, Final

from bot.doctor.balances import check_balances
from bot.doctor.discord_application import check_discord
from bot.doctor.discord_service import check_commands, check_logins
from bot.doctor.finding import Finding
from bot.doctor.machine import check_disk, check_memory
from bot.doctor.models import check_models
from bot.doctor.permissions import check_permissions
from bot.doctor.picture_hosts import check_picture_hosts
from bot.doctor.picture_space import check_picture_space
from bot.doctor.picture_store import check_picture_store
from bot.doctor.premium import check_premium
from bot.doctor.processes import check_processes
from bot.doctor.providers import check_keys
from bot.doctor.proxy import check_proxy
from bot.doctor.secrets import check_secret_files, check_secret_key
from bot.doctor.storage import check_database, check_folders
from bot.doctor.vendor_models import check_vendor_models
from bot.doctor.web import check_ports, check_webhook
from bot.doctor.workflows import check_workflows
from bot.settings import Settings

__all__ = ["Finding", "examine"]

# In the order of the output.
_CHECKS: Final[tuple[Callable[[Settings], Awaitable[list[Finding]]], ...]] = (
    check_folders,
    check_database,
    check_permissions,
    check_secret_files,
    check_secret_key,
    check_processes,
    check_disk,
    check_picture_space,
    check_picture_store,
    check_memory,
    check_ports,
    check_proxy,
    check_discord,
    check_logins,
    check_premium,
    check_keys,
    check_balances,
    check_models,
    check_workflows,
    check_vendor_models,
    check_picture_hosts,
    check_webhook,
)


async def examine(
    settings: Settings, *, commands: Callable[[Settings], Awaitable[list[dict[str, Any]]]] | None = None
) -> list[Finding]:
    """Run every check; no finding ever holds a secret.

    `commands` returns the bot's commands; without it, Discord's are not compared.
    """
    findings = [finding for check in _CHECKS for finding in await _findings(check, settings)]
    if commands is not None:
        compare = partial(check_commands, payload=partial(commands, settings))
        findings += await _findings(update_wrapper(compare, check_commands), settings)
    return findings


async def _findings(check: Callable[[Settings], Awaitable[list[Finding]]], settings: Settings) -> list[Finding]:
    try:
        return await check(settings)
    except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
        what = f"the check {check.__name__} broke ({type(error).__name__})"
        remedy = "This is a fault of the check. Report it; the other lines count all the same."
        return [Finding(good=False, what=what, remedy=remedy)]
