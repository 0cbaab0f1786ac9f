"""The bot's rights in chosen channels, and their words."""

from collections.abc import Iterable, Sequence
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


STUDIO_KINDS: Final = (
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.forum,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
)
"""The kinds of channels in which the studio can work."""

# Discord shows their messages to those alone who may connect.
_VOCAL: Final = (discord.VoiceChannel, discord.StageChannel)
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
    "connect": N_("Connect"),
    "add_reactions": N_("Add Reactions"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCheck:
    """A chosen channel, the bot's missing rights there, and notes.

    `gone` is a channel that the server does not have any more. `closed` is one where no member may use commands.
    """

    channel_id: int
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gone: bool = False
    closed: bool = False

    @property
    def is_usable(self) -> bool:
        """Return True if members can make pictures there."""
        return not (self.gone or self.closed or self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCheck:
    """The state of a studio that works in every channel.

    `missing` are the bot's missing rights in the whole server, `exceptions` the channels of all members where it lacks
    one. `is_usable` is False if it works in no channel.
    """

    missing: tuple[str, ...] = ()
    exceptions: tuple[ChannelCheck, ...] = ()
    is_usable: bool = True


def check_channel(guild: discord.Guild, channel_id: int, use: ChannelUse, *, reacts: bool = False) -> ChannelCheck:
    """Return the check of a channel for a use; `reacts`: with reactions."""
    channel = guild.get_channel(channel_id)
    if channel is None:
        return ChannelCheck(channel_id=channel_id, gone=True)
    closed, seen = False, channel.permissions_for(guild.default_role).view_channel
    notes = []
    if use is ChannelUse.STUDIO and not _is_open_to(channel, [guild.default_role]):
        closed = not _is_open_to(channel, guild.roles)
        notes += [] if closed else [_("not everyone may use commands there")]
    if use is ChannelUse.SHOWCASE and not seen:
        notes.append(_("not everyone can see it"))
    if use in (ChannelUse.REVIEW, ChannelUse.LOG) and seen:
        notes.append(_("everyone can see it"))
    if getattr(channel, "nsfw", False):
        notes.append(_("age-restricted"))
    missing = _missing(guild, channel, use)
    if reacts and not channel.permissions_for(guild.me).add_reactions:
        missing = (*missing, "add_reactions")
    return ChannelCheck(channel_id=channel_id, missing=missing, notes=tuple(notes), closed=closed)


def check_everywhere(guild: discord.Guild) -> ServerCheck:
    """Return the check of a studio that works in every channel."""
    rights = guild.me.guild_permissions
    missing = tuple(each for each in NEEDED[ChannelUse.STUDIO] if not getattr(rights, each))
    channels = [each for each in guild.channels if each.type in STUDIO_KINDS]
    if not channels:
        return ServerCheck(missing=missing, is_usable=not missing)
    lacking = {each.id: _missing(guild, each, ChannelUse.STUDIO) for each in channels}
    exceptions = tuple(
        ChannelCheck(channel_id=each.id, missing=lacking[each.id])
        for each in channels
        if lacking[each.id] and _is_open_to(each, [guild.default_role])
    )
    is_usable = any(not lacking[each.id] and _is_open_to(each, guild.roles) for each in channels)
    return ServerCheck(missing=missing, exceptions=exceptions, is_usable=is_usable)


def _missing(guild: discord.Guild, channel: discord.abc.GuildChannel, use: ChannelUse) -> tuple[str, ...]:
    """Return the bot's missing rights in a channel."""
    rights = channel.permissions_for(guild.me)
    needed = NEEDED[use]
    if isinstance(channel, discord.ForumChannel | discord.TextChannel) and use is ChannelUse.STUDIO:
        needed = (*needed, "send_messages_in_threads")
    if isinstance(channel, _VOCAL):
        needed = (*needed, "connect")
    return tuple(each for each in needed if not getattr(rights, each))


def _is_open_to(channel: discord.abc.GuildChannel, roles: Iterable[discord.Role]) -> bool:
    """Return whether one of the roles lets members use commands in a channel.

    Roles of admins and of applications do not count.
    """
    needed = discord.Permissions(view_channel=True, use_application_commands=True)
    if isinstance(channel, _VOCAL):
        needed.connect = True
    return any(
        channel.permissions_for(role) >= needed
        for role in roles
        if not role.permissions.administrator and not role.is_bot_managed()
    )


def right_names(rights: Sequence[str]) -> str:
    """Return the names of rights as Discord shows them."""
    return listed([_(_NAMES[each]) for each in rights])
