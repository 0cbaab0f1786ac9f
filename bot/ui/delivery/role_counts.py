"""Numbers of members by role, as Discord counts them."""

import asyncio
from collections.abc import Mapping
from typing import Final

import discord
import structlog

_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


async def read_role_counts(guild: discord.Guild) -> Mapping[int, int]:
    """Return the number of members by role; empty if unknown."""
    try:
        async with asyncio.timeout(_SECONDS):
            counts = await guild.role_member_counts()
    except (discord.HTTPException, TimeoutError) as error:
        _log.warning("role_counts.unknown", guild=guild.id, error=type(error).__name__)
        return {}
    return {role.id: count for role, count in counts.items()}
