"""Interactions in the domain's terms: guild, actor, context."""

from typing import Any

import discord

from bot.domain.jobs import InteractionContext
from bot.services.jobs import Actor


def guild_of(interaction: discord.Interaction[Any]) -> int:
    """Return the guild for account and presets.

    0 outside guilds, and in a guild with the application installed only by the member.
    """
    return interaction.guild_id if interaction.guild_id is not None and interaction.is_guild_integration() else 0


def actor_of(interaction: discord.Interaction[Any], *, everywhere: bool = False) -> Actor:
    """Return the member with their rights in the channel.

    Outside the studio's guilds nobody has rights. `everywhere` uses guild-wide rights: rights in a member's own
    channel do not count then.
    """
    guild, rights = guild_of(interaction), interaction.permissions
    if everywhere and isinstance(interaction.user, discord.Member):
        rights = interaction.user.guild_permissions
    return Actor(
        member_id=interaction.user.id,
        guild_id=guild,
        moderator=guild != 0 and rights.manage_messages,
    )


def context_of(interaction: discord.Interaction[Any], *, private: bool = False) -> InteractionContext:
    """Return the place of an interaction; see `guild_of`.

    Its language is the server's, or the member's own where only they see it or there is no server. It is private also
    where Discord will show the answer to the member alone, whatever it is asked for.
    """
    private = private or _is_forced_private(interaction)
    guild = interaction.guild_locale
    locale = interaction.locale if private or guild is None else guild
    return InteractionContext(
        interaction_id=interaction.id,
        application_id=interaction.application_id,
        guild_id=guild_of(interaction),
        channel_id=interaction.channel_id or 0,
        member_id=interaction.user.id,
        token=interaction.token,
        upload_limit=interaction.filesize_limit,
        private=private,
        locale=locale.value,
        roles=roles_of(interaction.user),
    )


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
