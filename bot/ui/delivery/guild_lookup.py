"""Look-up of servers, also of those without a shard in this process."""

import discord

from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import classify


async def find_guild(client: discord.Client, guild_id: int) -> discord.Guild | None:
    """Return a server; None if it is out of reach.

    A server of another process has no channels here.
    """
    known = client.get_guild(guild_id)
    if known is not None:
        return known
    try:
        async with bounded(REQUEST_SECONDS):
            return await client.fetch_guild(guild_id, with_counts=True)
    except Exception as error:
        if classify(error) is None:
            raise
        return None


async def find_upload_limit(client: discord.Client, guild_id: int) -> int:
    """Return the highest size of a posted file in a server, in bytes."""
    return upload_limit_of(await find_guild(client, guild_id))


def upload_limit_of(guild: discord.Guild | None) -> int:
    """Return a server's limit of a file; Discord's usual one if unknown."""
    return discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES if guild is None else guild.filesize_limit
