"""The bot's rights in chosen channels, and their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import discord

from bot.ui.i18n import N_, _
from bot.ui.render.formatting import listed


class ChannelUse(StrEnum):
    """The purpose of a channel."""

    STUDIO = "studio"
    REVIEW = "review"
    SHOWCASE = "showcase"
    LOG = "log"


_POST: Final = ("view_channel", "send_messages", "embed_links")
_PICTURES: Final = (*_POST, "attach_files", "read_message_history")
NEEDED: Final = {
    ChannelUse.STUDIO: _PICTURES,
    ChannelUse.REVIEW: _PICTURES,
    ChannelUse.SHOWCASE: _PICTURES,
    ChannelUse.LOG: _POST,
}
_NAMES: Final = {
    "view_channel": N_("View Channel"),
    "send_messages": N_("Send Messages"),
    "send_messages_in_threads": N_("Send Messages in Threads"),
    "embed_links": N_("Embed Links"),
    "attach_files": N_("Attach Files"),
    "read_message_history": N_("Read Message History"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCheck:
    """A chosen channel, the bot's missing rights there, and notes.

    `gone` is a channel that the server does not have any more.
    """

    channel_id: int
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gone: bool = False


def check_channel(guild: discord.Guild, channel_id: int, use: ChannelUse) -> ChannelCheck:
    """Return the check of a channel for a use."""
    channel = guild.get_channel(channel_id)
    if channel is None:
        return ChannelCheck(channel_id=channel_id, gone=True)
    rights = channel.permissions_for(guild.me)
    needed = NEEDED[use]
    if isinstance(channel, discord.ForumChannel | discord.TextChannel) and use is ChannelUse.STUDIO:
        needed = (*needed, "send_messages_in_threads")
    seen = channel.permissions_for(guild.default_role).view_channel
    notes = []
    if use is ChannelUse.SHOWCASE and not seen:
        notes.append(_("not everyone can see it"))
    if use in (ChannelUse.REVIEW, ChannelUse.LOG) and seen:
        notes.append(_("everyone can see it"))
    if getattr(channel, "nsfw", False):
        notes.append(_("age-restricted"))
    missing = tuple(each for each in needed if not getattr(rights, each))
    return ChannelCheck(channel_id=channel_id, missing=missing, notes=tuple(notes))


def check_everywhere(guild: discord.Guild) -> tuple[str, ...]:
    """Return the bot's missing rights in the whole server."""
    rights = guild.me.guild_permissions
    return tuple(each for each in NEEDED[ChannelUse.STUDIO] if not getattr(rights, each))


def right_names(rights: Sequence[str]) -> str:
    """Return the names of rights as Discord shows them."""
    return listed([_(_NAMES[each]) for each in rights])
