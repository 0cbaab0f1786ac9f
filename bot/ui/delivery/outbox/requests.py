"""Requests to Discord about messages of the outbox."""

import contextlib
from typing import Any, Final

import discord
import structlog
from discord.utils import MISSING

from bot.ui.component_tree import custom_ids
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import UNKNOWN_MESSAGE, DiscordErrorKind, classify
from bot.ui.delivery.outbox.rendering import ForumPost, NoPlaceError, Rendering

_log = structlog.get_logger(__name__)

UPLOAD_SECONDS: Final = 120.0
UNKNOWN_CHANNEL: Final = 10003
GONE: Final = (UNKNOWN_MESSAGE, UNKNOWN_CHANNEL)
"""Codes of Discord's errors for a message that does not exist any more."""
_MOST_TAGS: Final = 5
_NO_TITLE: Final = "…"


class OutboxRequests:
    """Sends requests about single messages."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def is_deleted(
        self, error: discord.HTTPException, channel_id: int, message_id: int, home_id: int | None
    ) -> bool:
        """Return whether a person deleted a message, rather than its channel.

        A forum's post is a channel with the id of its first message. `home_id` is the forum: if that is gone, its posts
        went with it.
        """
        if error.code == UNKNOWN_MESSAGE:
            return True
        if channel_id != message_id:
            return False
        if home_id is None:
            return True
        try:
            async with bounded(REQUEST_SECONDS, in_channel=False):
                await self._client.fetch_channel(home_id)
        except discord.HTTPException as gone:
            if gone.code != UNKNOWN_CHANNEL:
                raise
            return False
        return True

    async def react(self, channel_id: int, message_id: int, reaction: str) -> None:
        """Add a reaction where the bot may."""
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        try:
            async with bounded(REQUEST_SECONDS):
                await message.add_reaction(reaction)
        except Exception as error:
            if classify(error) is None:
                raise
            _log.info("outbox.no_reaction", error=type(error).__name__)

    async def pin(self, channel_id: int, message_id: int, group: str) -> None:
        """Pin a message in place of earlier ones of its group, where the bot may."""
        channel = self._client.get_partial_messageable(channel_id)
        me = self._client.user
        try:
            async with bounded(REQUEST_SECONDS):
                await channel.get_partial_message(message_id).pin()
                async for each in channel.pins():
                    if each.id != message_id and me is not None and each.author.id == me.id and _has_part(each, group):
                        await each.unpin()
        except Exception as error:
            if classify(error) is None:
                raise
            _log.info("outbox.not_pinned", error=type(error).__name__)

    async def channel(self, rendering: Rendering) -> Any:
        """Return the channel of a new message.

        Raises:
            NoPlaceError: there is none.
        """
        if rendering.channel_id is None and rendering.member_id is None:
            raise NoPlaceError
        if rendering.channel_id is None:
            return await self._client.create_dm(discord.Object(rendering.member_id or 0))
        known = self._client.get_channel(rendering.channel_id)
        channel = known or await self._client.fetch_channel(rendering.channel_id)
        if not isinstance(channel, discord.abc.Messageable | discord.ForumChannel):
            raise NoPlaceError
        return channel

    async def edit(self, channel_id: int, message_id: int, rendering: Rendering) -> None:
        """Edit a message; an archived thread is opened first."""
        changes: dict[str, Any] = {
            "view": rendering.view,
            "attachments": MISSING if rendering.files is None else rendering.files(),
            "allowed_mentions": discord.AllowedMentions.none(),
        }
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        async with bounded(REQUEST_SECONDS if rendering.files is None else UPLOAD_SECONDS):
            try:
                await message.edit(**changes)
            except discord.HTTPException as error:
                if classify(error) is not DiscordErrorKind.ARCHIVED:
                    raise
                await self._reopen(channel_id)
                if rendering.files is not None:
                    changes["attachments"] = rendering.files()
                await message.edit(**changes)

    async def remove(self, channel_id: int, message_id: int) -> None:
        """Delete a message, or a forum's post with its thread."""
        async with bounded(REQUEST_SECONDS):
            try:
                if channel_id == message_id:
                    await self.remove_post(channel_id)
                else:
                    await self._delete(channel_id, message_id)
            except discord.HTTPException as error:
                if error.code not in GONE:
                    raise

    async def remove_post(self, thread_id: int) -> None:
        """Delete a forum's post with its thread; where the bot may not, its texts."""
        thread: Any = await self._client.fetch_channel(thread_id)
        try:
            await thread.delete()
        except discord.Forbidden:
            await self._delete(thread_id, thread_id)
            with contextlib.suppress(discord.Forbidden):
                await thread.edit(name=_NO_TITLE)

    async def _delete(self, channel_id: int, message_id: int) -> None:
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        try:
            await message.delete()
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.ARCHIVED:
                raise
            await self._reopen(channel_id)
            await message.delete()

    async def _reopen(self, thread_id: int) -> None:
        """Unarchive a thread."""
        thread = await self._client.fetch_channel(thread_id)
        if isinstance(thread, discord.Thread):
            await thread.edit(archived=False)


def _has_part(message: discord.Message, part: str) -> bool:
    return any(part in each for each in custom_ids(message.components))


def forum_options(forum: discord.ForumChannel, post: ForumPost | None) -> dict[str, Any]:
    """Return the title and the existing tags of a forum's post."""
    if post is None:
        return {"name": _NO_TITLE}
    names = {each.casefold() for each in post.tags}
    usable = [tag for tag in forum.available_tags if not tag.moderated]
    tags = [tag for tag in usable if tag.name.casefold() in names][:_MOST_TAGS]
    if not tags and forum.flags.require_tag:
        tags = usable[:1]  # else Discord refuses the post
    return {"name": post.title, "applied_tags": tags}
