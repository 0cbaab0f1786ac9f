"""Age restriction of Discord's channels."""

from typing import Any, Final

import discord

from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded

_LEVELS: Final = (discord.NSFWLevel.explicit, discord.NSFWLevel.age_restricted)


def flag_of(channel: Any) -> bool | None:
    """Return whether a channel, or its parent or server, is age-restricted.

    A direct message is not. None if it is unknown: of a thread without its parent, and of a channel of a server without
    its own facts. See decision 0052.
    """
    guild = getattr(channel, "guild", None)
    if guild is not None and getattr(guild, "nsfw_level", None) in _LEVELS:
        return True
    if isinstance(channel, discord.Thread):
        return None if channel.parent is None else channel.parent.is_nsfw()
    if isinstance(channel, discord.PartialMessageable):
        return None if channel.guild_id is not None else False
    return bool(getattr(channel, "nsfw", False))


def is_flagged(channel: Any) -> bool:
    """Return whether a channel is surely age-restricted.

    Ask this before a picture is shown or used. An unknown flag counts as none.
    """
    return flag_of(channel) is True


async def fetch_flag(client: discord.Client, channel_id: int, *, unknown: bool = False) -> bool:
    """Return a channel's flag; `unknown` if it is out of reach."""
    channel = await _find(client, channel_id)
    flag = False if channel is None else flag_of(channel)
    if flag is None and isinstance(channel, discord.Thread):
        channel = await _find(client, channel.parent_id)
        flag = None if channel is None else flag_of(channel)
    return unknown if channel is None or flag is None else flag


async def _find(client: discord.Client, channel_id: int) -> Any:
    """Return a channel; None if it is out of reach."""
    channel: Any = client.get_channel(channel_id)
    if channel is not None:
        return channel
    try:
        async with bounded(REQUEST_SECONDS):
            return await client.fetch_channel(channel_id)
    except (discord.NotFound, discord.Forbidden, discord.InvalidData):
        return None
