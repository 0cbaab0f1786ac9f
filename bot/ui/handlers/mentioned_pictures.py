"""Words and pictures of a message that mentions the bot."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import discord

from bot.domain.errors import JobRunningError
from bot.services.remix import Source
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.handlers.message_images import card_job, gather, noted_job

IsRunning = Callable[[int], Awaitable[bool]]
"""Returns whether a message is the card of a job that has not ended."""

_QUIET: Final = discord.AllowedMentions.none()
_MESSAGES_READ: Final = 50
# "2: make the sky red" is about the second picture; "16:9" is none.
_NUMBERED: Final = re.compile(r"([1-9][0-9]?)\s*[:.)](?![0-9])\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """The requested change, and the number of a picture if named.

    `whole` is the text with its number.
    """

    text: str
    whole: str
    number: int | None = None

    @classmethod
    def read(cls, content: str, me: int) -> "Instruction":
        """Return the text without the mentions of the bot."""
        text = re.sub(r" {2,}", " ", re.sub(rf"<@!?{me}>", " ", content)).strip()
        numbered = _NUMBERED.fullmatch(text)
        if numbered is None:
            return cls(text=text, whole=text)
        return cls(text=numbered[2].strip(), whole=text, number=int(numbered[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """The rights of a message's author and of the bot in its channel."""

    may_ask: bool = True
    may_answer: bool = True
    may_read: bool = True


def rights_in(message: discord.Message) -> Rights:
    """Return the rights in the channel of a message.

    Where they are unknown, Discord refuses by itself. Asked without need, it would refuse so often that it blocks the
    bot for all servers.
    """
    guild, channel, author = message.guild, message.channel, message.author
    if guild is None or isinstance(channel, (discord.PartialMessageable, discord.DMChannel, discord.GroupChannel)):
        return Rights()
    try:
        own = channel.permissions_for(guild.me)
        may_ask = not isinstance(author, discord.Member) or channel.permissions_for(author).use_application_commands
    except (discord.ClientException, AttributeError):  # the thread's channel, or the bot in it, is unknown
        return Rights()
    may_send = own.send_messages
    if isinstance(channel, discord.Thread):
        may_send = own.send_messages_in_threads and (own.manage_threads or not channel.locked)
    return Rights(
        may_ask=may_ask,
        may_answer=own.view_channel and may_send,
        may_read=own.view_channel and own.read_message_history,
    )


async def original_of(message: discord.Message) -> discord.Message | None:
    """Return the message replied to; None if there is none any more."""
    reference = message.reference
    if reference is None or message.type is not discord.MessageType.reply or reference.message_id is None:
        return None
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    if isinstance(reference.resolved, discord.DeletedReferencedMessage):
        return None
    try:
        async with bounded(REQUEST_SECONDS):
            return await message.channel.fetch_message(reference.message_id)
    except discord.HTTPException:
        return None


async def latest_version(message: discord.Message, me: int, is_running: IsRunning) -> discord.Message | None:
    """Return the latest card with pictures, or note on a version, in a thread.

    None elsewhere: in a channel, members work on many pictures at a time.

    Raises:
        JobRunningError: the latest version is still being made.
    """
    if message.type is not discord.MessageType.default or not isinstance(message.channel, discord.Thread):
        return None
    if not rights_in(message).may_read:
        return None
    async with bounded(REQUEST_SECONDS):
        latest = [each async for each in message.channel.history(limit=_MESSAGES_READ, before=message)]
    for each in latest:
        if noted_job(each, me) is not None or (card_job(each, me) is not None and gather(each)):
            return each
        if each.author.id == me and await is_running(each.id):
            raise JobRunningError
    return None


def addresses(source: Source, card: discord.Message) -> Mapping[int, str]:
    """Return the addresses of a job's pictures on its card, by position."""
    shown = [each.url for each in gather(card)]
    # Where the message shows fewer than there are, nobody can tell which is which.
    return dict(zip(source.pictures, shown, strict=True)) if len(shown) == len(source.pictures) else {}


async def reply(message: discord.Message, said: str | None = None, **content: Any) -> None:
    """Reply without a ping. Sent twice within minutes, it is one message.

    Without the right to read the history, Discord takes no replies: then it is a message.
    """
    if rights_in(message).may_read:
        content["reference"] = message.to_reference(fail_if_not_exists=False)
    async with bounded(REQUEST_SECONDS, in_channel=False):
        await message.channel.send(said, nonce=f"q{message.id}", allowed_mentions=_QUIET, **content)
