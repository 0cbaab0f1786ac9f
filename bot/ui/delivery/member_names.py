"""Members' names from Discord, within a short time."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import aiohttp
import discord
import structlog

from bot.domain.pseudonyms import is_pseudonym

_SECONDS: Final = 4.0

_log = structlog.get_logger(__name__)


async def find_names(guild: discord.Guild | None, member_ids: Sequence[int]) -> dict[int, str]:
    """Return the display names of members of a server.

    Names are not stored. That of a former member, and one that does not come in time, is left out.
    """
    if guild is None:
        return {}
    found: dict[int, str] = {}

    async def find(member_id: int) -> None:
        try:
            member = guild.get_member(member_id) or await guild.fetch_member(member_id)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            _log.debug("member.not_named", error=type(error).__name__)
            return
        found[member_id] = member.display_name

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as group:
            for member_id in member_ids:
                if not is_pseudonym(member_id):
                    group.create_task(find(member_id))
    return found
