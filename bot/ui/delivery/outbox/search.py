"""Search for messages of the outbox that may exist since before a crash."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import discord

from bot.domain.outbox import OutboxMessage
from bot.services.outbox import OutboxService
from bot.ui.component_tree import custom_ids
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.outbox.markers import is_about
from bot.ui.delivery.outbox.rendering import Rendering
from bot.ui.delivery.outbox.requests import UNKNOWN_CHANNEL, OutboxRequests

_MESSAGES_READ: Final = 1000
# Clocks differ a little: a search begins this long before the first try.
_CLOCK_SLACK: Final = timedelta(minutes=2)


class OutboxSearch:
    """Finds the messages of rows on Discord."""

    def __init__(self, *, outbox: OutboxService, client: discord.Client, requests: OutboxRequests) -> None:
        self._outbox = outbox
        self._client = client
        self._requests = requests

    async def find(self, message: OutboxMessage, rendering: Rendering | None) -> tuple[int, int] | None:
        """Return the channel and id of an existing message.

        One that may have been created before a crash is searched for.
        """
        if message.channel_id is not None and message.message_id is not None:
            return message.channel_id, message.message_id
        if message.begun_at is None or message.channel_id is None:
            return None
        wanted_channel_id = None if rendering is None else rendering.channel_id
        try:
            found = await self._search(message, message.channel_id, message.begun_at)
        except discord.HTTPException as error:
            # What cannot be read is no obstacle to a post elsewhere.
            is_elsewhere = wanted_channel_id not in (None, message.channel_id)
            if error.code != UNKNOWN_CHANNEL and not (is_elsewhere and classify(error) is DiscordErrorKind.CLOSED):
                raise
            found = None
        return None if found is None else await self._outbox.set_message(message.id, *found)

    async def _search(self, message: OutboxMessage, channel_id: int, begun_at: datetime) -> tuple[int, int] | None:
        """Search a channel for a message of an interrupted try."""
        since = discord.Object(discord.utils.time_snowflake(begun_at - _CLOCK_SLACK))
        async with bounded(REQUEST_SECONDS, in_channel=False):
            channel = await self._client.fetch_channel(channel_id)
            if isinstance(channel, discord.ForumChannel):
                return await self._search_forum(message, channel, since)
            if not isinstance(channel, discord.abc.Messageable):
                return None
            history = channel.history(limit=_MESSAGES_READ, after=since)
            found = [each.id async for each in history if is_about(message, custom_ids(each.components))]
        free = await self._without_recorded(message, found)
        return (channel_id, free[0]) if free else None

    async def _search_forum(
        self, message: OutboxMessage, forum: discord.ForumChannel, since: discord.Object
    ) -> tuple[int, int] | None:
        found = await self._find_posts(message, forum, since)
        for each in found[1:]:
            await self._requests.remove_post(each)  # of a repeated request
        return (found[0], found[0]) if found else None

    async def _without_recorded(self, message: OutboxMessage, found: Sequence[int]) -> list[int]:
        """Return found messages without those of other rows."""
        recorded = await self._outbox.list_recorded(found, besides=message.id) if found else ()
        return [each for each in found if each not in recorded]

    async def _find_posts(
        self, message: OutboxMessage, forum: discord.ForumChannel, since: discord.Object
    ) -> list[int]:
        """Return the posts of a message in a forum, oldest first.

        A quiet post is archived by Discord after an hour at the earliest.
        """
        threads = {each.id for each in await forum.guild.active_threads() if each.parent_id == forum.id}
        async for each in forum.archived_threads(limit=_MESSAGES_READ):
            if each.id <= since.id:
                break
            threads.add(each.id)
        found = []
        for thread_id in sorted(each for each in threads if each > since.id):
            try:
                starter = await self._client.get_partial_messageable(thread_id).fetch_message(thread_id)
            except discord.NotFound:
                continue
            if is_about(message, custom_ids(starter.components)):
                found.append(thread_id)
        return await self._without_recorded(message, found)

    async def remove_copies(
        self, message: OutboxMessage, forum: discord.ForumChannel, begun_at: datetime, kept_id: int
    ) -> None:
        """Delete other posts of a message."""
        since = discord.Object(discord.utils.time_snowflake(begun_at - _CLOCK_SLACK))
        for each in await self._find_posts(message, forum, since):
            if each != kept_id:
                await self._requests.remove_post(each)
