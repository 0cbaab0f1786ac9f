"""Age restriction of Discord's channels."""

from typing import Any, Final

import discord

from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded

_LEVELS: Final = (discord.NSFWLevel.explicit, discord.NSFWLevel.age_restricted)


def is_flagged(channel: Any) -> bool:
    """Return whether a channel, or its parent or server, is age-restricted.

    A direct message is not.
    """
    guild = getattr(channel, "guild", None)
    if guild is not None and getattr(guild, "nsfw_level", None) in _LEVELS:
        return True
    if isinstance(channel, discord.Thread) and channel.parent is not None:
        return channel.parent.is_nsfw()
    return bool(getattr(channel, "nsfw", False))


async def fetch_flag(client: discord.Client, channel_id: int, *, unknown: bool = False) -> bool:
    """Return a channel's flag; `unknown` if it is out of reach."""
    channel: Any = client.get_channel(channel_id)
    if channel is None:
        try:
            async with bounded(REQUEST_SECONDS):
                channel = await client.fetch_channel(channel_id)
        except (discord.NotFound, discord.Forbidden, discord.InvalidData):
            return unknown
    return is_flagged(channel)
