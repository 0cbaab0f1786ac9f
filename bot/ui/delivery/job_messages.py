"""A job's messages on Discord: its card and its direct message.

The card is edited by interaction token or by bot token. No policy here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import discord
import structlog
from discord import ui
from discord.utils import MISSING

from bot.domain.jobs import Job
from bot.engine.clock import Clock
from bot.engine.observer import CardLookup
from bot.ui.buttons import CARD_ACTIONS, CUSTOM_ID, QUESTION_ACTIONS
from bot.ui.component_tree import custom_ids, walk
from bot.ui.delivery.age_flags import fetch_flag
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import RETRYABLE, UNKNOWN_MESSAGE, DiscordErrorKind, classify
from bot.ui.delivery.input_attachments import Attachments, KeptAttachment
from bot.ui.delivery.same_view import shown_attachments

_log = structlog.get_logger(__name__)

DIRECT_UPLOAD_LIMIT: Final = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
"""Bytes that a file in a direct message may have."""

# As long as aiohttp gives a request by itself: uploads take their time.
_UPLOAD_SECONDS: Final = 300.0
_LONGEST_NONCE: Final = 25
_MESSAGES_READ: Final = 500


Files = Callable[[], list[discord.File]]
"""Factory of files, called for each try: a request closes the files it sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRights:
    """The rights of a member and of the bot in a channel.

    `parent_id` is the channel of a thread.
    """

    member: discord.Permissions
    bot: discord.Permissions
    parent_id: int | None


class CardGoneError(Exception):
    """No way leads to the job's message any more."""


class JobMessages:
    """Edits, finds and sends a job's messages.

    Where nothing else is said, methods raise what discord.py and the connection raise; `classify` says what it means.
    """

    def __init__(self, *, client: discord.Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def edit(self, job: Job, view: ui.LayoutView, files: Attachments | None) -> int:
        """Show `view` on the job's message and return its id.

        `files` replace its attachments; None leaves them. The interaction token is used while it lives, then the bot
        token. A private message can be edited by its interaction token only.

        Raises:
            CardGoneError: the message is out of reach.
        """
        return (await self._edit(job, view, files)).id

    async def attach(self, job: Job, view: ui.LayoutView, files: Attachments) -> tuple[str, ...]:
        """Show `view` with `files` in its gallery and return their addresses.

        Discord signs the addresses for about a day. Raises as `edit` does.
        """
        message = await self._edit(job, view, files)
        return tuple(
            item.media.url
            for component in walk(message.components)
            if isinstance(component, discord.MediaGalleryComponent)
            for item in component.items
            if item.media.attachment_id is not None
        )

    async def _edit(self, job: Job, view: ui.LayoutView, files: Attachments | None) -> discord.Message:
        if job.token_alive(self._clock.now()):
            try:
                return await self._edit_by_token(job, view, files)
            except discord.HTTPException as error:
                if error.code == UNKNOWN_MESSAGE:
                    raise CardGoneError from error
                if classify(error) not in (
                    DiscordErrorKind.TOKEN_DEAD,
                    DiscordErrorKind.CLOSED,
                    DiscordErrorKind.ARCHIVED,
                ):
                    raise
        return await self._edit_by_bot(job, view, files)

    def upload_limit(self, job: Job) -> int:
        """Return the bytes that a file on the job's card may have.

        An interaction's limit counts the member's Nitro. With the bot token the server's own counts.
        """
        if job.token_alive(self._clock.now()):
            return job.place.upload_limit
        return self.guild_upload_limit(job)

    def guild_upload_limit(self, job: Job) -> int:
        """Return the upload limit for messages of the bot itself."""
        guild = self._client.get_guild(job.place.guild_id)
        return discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES if guild is None else guild.filesize_limit

    async def find(self, job: Job) -> CardLookup | None:
        """Look up the interaction's answer. None if Discord is unreachable."""
        if not job.token_alive(self._clock.now()):
            return CardLookup(exists=False)
        try:
            async with bounded(REQUEST_SECONDS):
                message = await self._webhook(job).fetch_message("@original")  # type: ignore[arg-type] # an id
        except Exception as error:
            match classify(error):
                case None:
                    raise
                case DiscordErrorKind.CLOSED | DiscordErrorKind.TOKEN_DEAD:
                    return CardLookup(exists=False)
                case _:
                    return None
        issued = [match for each in custom_ids(message.components) if (match := CUSTOM_ID.fullmatch(each))]
        if any(match["target"] in (job.id, job.duel_id) for match in issued):
            return CardLookup(exists=True, message_id=message.id, is_private=message.flags.ephemeral)
        if message.id == job.place.message_id and any(match["action"] in QUESTION_ACTIONS for match in issued):
            return CardLookup(exists=False)  # still the confirmation that the member pressed
        others = (match["target"] for match in issued if match["action"] in CARD_ACTIONS)
        return CardLookup(exists=False, is_foreign=True, other_job_id=next(others, None))

    async def remove(self, job: Job) -> bool:
        """Delete the job's message. True if it is gone, also before.

        A private message stays once its interaction token is dead: nothing else can delete it. Any message stays while
        Discord is unreachable or limits the request for long.
        """
        try:
            async with bounded(REQUEST_SECONDS):
                return await self.delete(job)
        except Exception as error:
            kind = classify(error)
            if kind in (DiscordErrorKind.CLOSED, DiscordErrorKind.ARCHIVED):
                return False
            if kind not in RETRYABLE:
                raise
            _log.warning("card.not_removed", job=job.id, error=type(error).__name__)
            return False

    async def delete(self, job: Job) -> bool:
        """Delete the job's message. True if it is gone, False if none is in reach.

        Raises every error but that of a message that is gone.
        """
        if job.token_alive(self._clock.now()):
            try:
                await self._webhook(job).delete_message("@original")  # type: ignore[arg-type] # an id
            except discord.HTTPException as error:
                if error.code == UNKNOWN_MESSAGE:
                    return True
                if classify(error) not in (
                    DiscordErrorKind.TOKEN_DEAD,
                    DiscordErrorKind.CLOSED,
                    DiscordErrorKind.ARCHIVED,
                ):
                    raise
            else:
                return True
        if job.place.message_id is None or job.place.private:
            return False
        try:
            await self._by_bot(job, job.place.message_id).delete()
        except discord.HTTPException as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
        return True

    def link(self, job: Job, message_id: int | None = None) -> str | None:
        """Return the address of a message, by default of the job's card.

        None if the card is unknown.
        """
        message_id = message_id or job.place.message_id
        if message_id is None:
            return None
        return f"https://discord.com/channels/{job.place.guild_id or '@me'}/{job.place.channel_id}/{message_id}"

    async def send_ping(self, job: Job, text: str) -> None:
        """Reply to the job's card with a mention of its member alone.

        Sent twice within minutes, it is one message.
        """
        if job.place.message_id is None:
            return  # nothing to reply to
        member = discord.Object(job.place.member_id)
        async with bounded(REQUEST_SECONDS, in_channel=False):
            await self._channel(job).send(
                text,
                reference=self._by_bot(job, job.place.message_id),
                nonce=f"p{job.id[1 - _LONGEST_NONCE :]}",
                allowed_mentions=discord.AllowedMentions(
                    everyone=False, roles=False, users=[member], replied_user=False
                ),
            )

    async def was_pinged(self, job: Job) -> bool:
        """Search the channel since the command for a reply to the job's card.

        True also if the channel cannot be read, or has too many messages: a ping is never sent twice.
        """
        read = 0
        try:
            async with bounded(REQUEST_SECONDS, in_channel=False):
                since = discord.Object(job.place.interaction_id)
                async for message in self._channel(job).history(limit=_MESSAGES_READ, after=since):
                    read += 1
                    if message.reference is not None and message.reference.message_id == job.place.message_id:
                        return True
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.CLOSED:
                raise
            return True
        return read == _MESSAGES_READ

    async def send_link(self, job: Job, text: str) -> None:
        """Send a direct message with the link of the job's card.

        Sent twice within minutes, it is one message.
        """
        async with bounded(REQUEST_SECONDS, in_channel=False):
            await (await self._direct(job)).send(
                text, nonce=f"n{job.id[1 - _LONGEST_NONCE :]}", allowed_mentions=discord.AllowedMentions.none()
            )

    async def send_private(self, job: Job, text: str) -> None:
        """Send a message for the member alone, besides the card.

        Only while the interaction token lives.
        """
        webhook = self._webhook(job)
        # discord.py lets webhooks of applications alone send private messages, and takes a partial one for another.
        webhook.type = discord.WebhookType.application
        async with bounded(REQUEST_SECONDS):
            await webhook.send(text, ephemeral=True, allowed_mentions=discord.AllowedMentions.none())

    async def is_age_restricted(self, job: Job) -> bool:
        """Return whether an age-restricted job's channel still is.

        True if the channel is out of reach: it was when the job was made.
        """
        return await fetch_flag(self._client, job.place.channel_id, unknown=True)

    async def find_rights(self, job: Job) -> ChannelRights | None:
        """Return the rights in the job's channel.

        None if the channel, its guild or the member there is out of reach.
        """
        me = self._client.user
        try:
            async with bounded(REQUEST_SECONDS):
                # Another process may hold the guild's shard.
                guild_id, channel_id = job.place.guild_id, job.place.channel_id
                guild = self._client.get_guild(guild_id) or await self._client.fetch_guild(guild_id, with_counts=False)
                channel = guild.get_channel_or_thread(channel_id) or await guild.fetch_channel(channel_id)
                member = await guild.fetch_member(job.place.member_id)
                my_id = 0 if me is None else me.id
                own = guild.get_member(my_id) or await guild.fetch_member(my_id)
                return ChannelRights(
                    member=channel.permissions_for(member),
                    bot=channel.permissions_for(own),
                    parent_id=channel.parent_id if isinstance(channel, discord.Thread) else None,
                )
        except (discord.NotFound, discord.Forbidden, discord.InvalidData, discord.ClientException):
            return None

    async def find_public(self, job: Job) -> int | None:
        """Search the channel for the public card of a private job.

        Only the latest messages since the command are read.
        """
        if job.public_message_id is not None or job.public_at is None:
            return job.public_message_id
        since = discord.Object(job.place.interaction_id)
        async with bounded(REQUEST_SECONDS):
            async for message in self._channel(job).history(limit=_MESSAGES_READ, after=since, oldest_first=False):
                if not message.flags.ephemeral and _is_of(job, message):
                    return message.id
        return None

    async def send_public(self, job: Job, view: ui.LayoutView, files: Files) -> int:
        """Post the public card of a private job and return its message's id.

        Sent twice within minutes, it is one message.
        """
        async with bounded(_UPLOAD_SECONDS):
            message = await self._channel(job).send(
                view=view,
                files=files(),
                nonce=f"m{job.id[1 - _LONGEST_NONCE :]}",
                allowed_mentions=discord.AllowedMentions.none(),
            )
        return message.id

    async def fetch_shown(self, job: Job) -> tuple[KeptAttachment, ...]:
        """Return the pictures of a job's public message, as Discord has them.

        None of a message that is gone.
        """
        message_id = job.public_message_id if job.place.private else job.place.message_id
        if message_id is None:
            return ()
        try:
            async with bounded(REQUEST_SECONDS):
                return shown_attachments(await self._by_bot(job, message_id).fetch())
        except discord.HTTPException as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
            return ()

    async def edit_public(self, job: Job, view: ui.LayoutView, files: Attachments) -> None:
        """Show `view` on the public card of a private job, if it is known."""
        if job.public_message_id is None:
            return
        async with bounded(REQUEST_SECONDS):
            await self._by_bot(job, job.public_message_id).edit(**_changes(view, files))

    async def edit_by_press(
        self, press: discord.Interaction[Any], message_id: int, view: ui.LayoutView, files: Attachments
    ) -> None:
        """Show `view` on the pressed message by the token of the press.

        It reaches private messages after the token of their command has died. The press must have been answered.
        """
        async with bounded(REQUEST_SECONDS):
            await press.followup.edit_message(message_id, **_changes(view, files))

    async def remove_public(self, job: Job) -> bool:
        """Delete the public card of a private job. True if it is gone."""
        try:
            await self.delete_public(job)
        except Exception as error:
            kind = classify(error)
            if kind is None or kind is DiscordErrorKind.MALFORMED:
                raise
            return isinstance(error, discord.HTTPException) and error.code == UNKNOWN_MESSAGE
        return True

    async def delete_public(self, job: Job) -> None:
        """Delete the public card of a private job, if there is one."""
        message_id = await self.find_public(job)
        if message_id is not None:
            async with bounded(REQUEST_SECONDS):
                await self._by_bot(job, message_id).delete()

    async def remove_direct(self, job: Job) -> bool:
        """Delete the direct messages with the job's buttons.

        True if they are gone.
        """
        try:
            await self.delete_direct(job)
        except Exception as error:
            kind = classify(error)
            if kind is None or kind is DiscordErrorKind.MALFORMED:
                raise
            return False
        return True

    async def delete_direct(self, job: Job) -> None:
        """Delete the direct messages with the job's buttons, if any were sent."""
        if job.direct_at is None and job.notice_at is None:
            return
        command, me = discord.Object(job.place.interaction_id), self._client.user
        async with bounded(REQUEST_SECONDS, in_channel=False):
            channel = await self._direct(job)
            async for message in channel.history(limit=_MESSAGES_READ, after=command):
                if me is not None and message.author.id == me.id and _is_of(job, message):
                    await message.delete()

    async def send_direct(self, job: Job, view: ui.LayoutView, files: Files | None) -> None:
        """Send a direct message. Sent twice within minutes, it is one message."""
        async with bounded(_seconds(files), in_channel=False):
            channel = await self._direct(job)
            await channel.send(
                view=view,
                files=[] if files is None else files(),
                # discord.py enforces every nonce: Discord answers a repeated one with the message that it made.
                nonce=job.id[-_LONGEST_NONCE:],
                allowed_mentions=discord.AllowedMentions.none(),
            )

    async def sent_direct(self, job: Job) -> bool:
        """Search the member's direct messages for this job's buttons or link.

        Only messages since the command are read.
        """
        # By Discord's own clock: the command came before whatever was sent about it.
        command, link = discord.Object(job.place.interaction_id), self.link(job)
        async with bounded(REQUEST_SECONDS, in_channel=False):
            channel = await self._direct(job)
            async for message in channel.history(limit=_MESSAGES_READ, after=command):
                if _is_of(job, message):
                    return True
                if link is not None and link in message.content:
                    return True
        return False

    async def _direct(self, job: Job) -> discord.DMChannel:
        return await self._client.create_dm(discord.Object(job.place.member_id))

    async def _edit_by_token(self, job: Job, view: ui.LayoutView, files: Attachments | None) -> discord.Message:
        original: Any = "@original"
        async with bounded(_seconds(files)):
            return await self._webhook(job).edit_message(original, **_changes(view, files))

    async def _edit_by_bot(self, job: Job, view: ui.LayoutView, files: Attachments | None) -> discord.Message:
        if job.place.message_id is None or job.place.private:
            raise CardGoneError
        message = self._by_bot(job, job.place.message_id)
        try:
            try:
                async with bounded(_seconds(files)):
                    return await message.edit(**_changes(view, files))
            except discord.HTTPException as error:
                if classify(error) is not DiscordErrorKind.ARCHIVED:
                    raise
                async with bounded(_seconds(files)):
                    await self.open_thread(job)
                    return await message.edit(**_changes(view, files))
        except discord.HTTPException as error:
            if classify(error) in (DiscordErrorKind.CLOSED, DiscordErrorKind.ARCHIVED):
                raise CardGoneError from error
            raise

    async def open_thread(self, job: Job) -> None:
        """Unarchive the job's thread.

        Raises:
            CardGoneError: moderators locked the thread.
        """
        thread = await self._client.fetch_channel(job.place.channel_id)
        if not isinstance(thread, discord.Thread) or thread.locked:
            raise CardGoneError
        await thread.edit(archived=False)

    def _by_bot(self, job: Job, message_id: int) -> discord.PartialMessage:
        return self._channel(job).get_partial_message(message_id)

    def _channel(self, job: Job) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(job.place.channel_id, guild_id=job.place.guild_id)

    def _webhook(self, job: Job) -> discord.Webhook:
        return discord.Webhook.partial(job.place.application_id, job.place.token or "", client=self._client)


def _is_of(job: Job, message: discord.Message) -> bool:
    """Return whether a message has buttons of a job."""
    return any(f":{job.id}:" in each for each in custom_ids(message.components))


def _seconds(files: Attachments | None) -> float:
    return REQUEST_SECONDS if files is None else _UPLOAD_SECONDS


def _changes(view: ui.LayoutView, files: Attachments | None) -> dict[str, Any]:
    return {
        "view": view,
        "attachments": MISSING if files is None else files(),
        "allowed_mentions": discord.AllowedMentions.none(),
    }
