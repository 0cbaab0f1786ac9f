"""Interactions in the domain's terms: guild, actor, context."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import discord
from discord import ui

from bot.domain.errors import InsufficientCreditsError, NotAllowedError, WrongChannelError
from bot.domain.guild_settings import GuildSettings
from bot.domain.jobs import InteractionContext
from bot.domain.lazy_text import LazyText
from bot.services.jobs import Actor
from bot.ui.delivery.age_flags import flag_of

GuildSettingsReader = Callable[[int], Awaitable[GuildSettings]]
"""Reads a guild's settings by its id."""

PurchaseCounter = Callable[[discord.Interaction[Any]], Awaitable[None]]
"""Counts the purchases that come with an interaction."""

PurchaseOffer = Callable[[discord.Interaction[Any], InsufficientCreditsError], list[ui.Button[ui.LayoutView]]]
"""Returns the buttons to buy missing credits."""

_Error = TypeVar("_Error", bound=BaseException)
_UNSET: Final = GuildSettings()
_SETTINGS: Final = "guild_settings"


def without_deleted_channels(error: _Error, guild: discord.Guild | None) -> _Error | WrongChannelError:
    """Return an error without deleted channels.

    A server without its channels is not known well enough.
    """
    if not isinstance(error, WrongChannelError) or guild is None or guild.unavailable or not guild.channels:
        return error
    return error.among({each.id for each in (*guild.channels, *guild.threads)})


async def no_settings(guild_id: int) -> GuildSettings:
    """Return unset settings, for a client without a database."""
    del guild_id
    return _UNSET


async def no_purchases(interaction: discord.Interaction[Any]) -> None:
    """Do nothing, for a client without sales."""
    del interaction


def no_offers(interaction: discord.Interaction[Any], error: InsufficientCreditsError) -> list[ui.Button[ui.LayoutView]]:
    """Return no buttons, for a client without sales."""
    del interaction, error
    return []


async def attach_settings(interaction: discord.Interaction[Any], read: GuildSettingsReader) -> None:
    """Read the guild's settings for an interaction's handlers."""
    if guild_id := guild_of(interaction):
        interaction.extras[_SETTINGS] = await read(guild_id)


def settings_of(interaction: discord.Interaction[Any]) -> GuildSettings:
    """Return the guild's settings as of an interaction's begin."""
    settings: GuildSettings = interaction.extras.get(_SETTINGS, _UNSET)
    return settings


def guild_of(interaction: discord.Interaction[Any]) -> int:
    """Return the guild for account and presets.

    0 outside guilds, and in a guild with the application installed only by the member.
    """
    return interaction.guild_id if interaction.guild_id is not None and interaction.is_guild_integration() else 0


def actor_of(interaction: discord.Interaction[Any], *, everywhere: bool = False) -> Actor:
    """Return the member with their rights in the channel.

    Outside the studio's guilds nobody has rights. `everywhere` uses guild-wide rights: rights in a member's own
    channel do not count then. For the moderators' roles see `GuildSettings.is_moderator`.
    """
    guild, rights = guild_of(interaction), interaction.permissions
    if everywhere and isinstance(interaction.user, discord.Member):
        rights = interaction.user.guild_permissions
    moderator = settings_of(interaction).is_moderator(
        roles_of(interaction.user),
        manages_messages=rights.manage_messages,
        is_admin=is_admin(interaction),
    )
    return Actor(member_id=interaction.user.id, guild_id=guild, moderator=guild != 0 and moderator)


def is_admin(interaction: discord.Interaction[Any]) -> bool:
    """Return whether the member may change the studio of the server."""
    return guild_of(interaction) != 0 and interaction.permissions.manage_guild


def require_admin(interaction: discord.Interaction[Any]) -> int:
    """Return the server of an admin.

    Raises:
        NotAllowedError: there is none, or they may not.
    """
    if not is_admin(interaction):
        raise NotAllowedError(LazyText("an admin of this server"))
    return guild_of(interaction)


def context_of(interaction: discord.Interaction[Any], *, private: bool = False) -> InteractionContext:
    """Return the place of an interaction; see `guild_of`.

    Its language is the server's, as its admins or else Discord have it, or the member's own where only they see it or
    there is no server. It is private also where Discord will show the answer to the member alone, whatever it is asked
    for.
    """
    private = private or _is_forced_private(interaction)
    return InteractionContext(
        interaction_id=interaction.id,
        application_id=interaction.application_id,
        guild_id=guild_of(interaction),
        channel_id=interaction.channel_id or 0,
        member_id=interaction.user.id,
        token=interaction.token,
        upload_limit=interaction.filesize_limit,
        private=private,
        locale=interaction.locale.value if private else shared_locale(interaction),
        roles=roles_of(interaction.user),
        parent_channel_id=parent_channel_of(interaction),
        in_age_restricted=is_age_restricted(interaction),
        is_flag_unknown=_flag_of(interaction) is None,
        manages_guild=is_admin(interaction),
    )


def parent_channel_of(interaction: discord.Interaction[Any]) -> int | None:
    """Return the channel of an interaction's thread; None outside threads."""
    return interaction.channel.parent_id if isinstance(interaction.channel, discord.Thread) else None


def is_age_restricted(interaction: discord.Interaction[Any]) -> bool:
    """Return whether an interaction is surely in an age-restricted channel."""
    return _flag_of(interaction) is True


def _flag_of(interaction: discord.Interaction[Any]) -> bool | None:
    """Return the flag of an interaction's channel; None if unknown."""
    if interaction.channel is None:
        return None if interaction.guild_id is not None else False
    return flag_of(interaction.channel)


def shared_locale(interaction: discord.Interaction[Any]) -> str:
    """Return the language of public messages."""
    return settings_of(interaction).locale or (interaction.guild_locale or interaction.locale).value


def roles_of(user: discord.abc.User) -> tuple[int, ...]:
    """Return the ids of a member's roles; of a mere user, none.

    Without privileged intents the roles of the cache may be missing, so the ids are read as Discord sent them.
    """
    return tuple(user._roles) if isinstance(user, discord.Member) else ()  # noqa: SLF001 - see above


def _is_forced_private(interaction: discord.Interaction[Any]) -> bool:
    """Return whether Discord shows the answer to the member alone.

    That is so where members may not use external applications publicly.
    """
    brought_along = interaction.guild_id is not None and not interaction.is_guild_integration()
    return brought_along and not interaction.permissions.use_external_apps


async def require_owner(interaction: discord.Interaction[Any]) -> None:
    """Check that the person owns the bot.

    Raises:
        NotAllowedError: they do not.
    """
    if not await interaction.client.is_owner(interaction.user):
        raise NotAllowedError(LazyText("the bot's owner"))
