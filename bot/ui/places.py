"""Where an interaction comes from, in the domain's terms."""

from typing import Any

import discord

from bot.domain.jobs import Place


def place_of(interaction: discord.Interaction[Any], *, private: bool = False) -> Place:
    """Return the place of an interaction; outside servers the community is 0.

    Its language is the server's, or the member's own where only they see it or there is no server.
    """
    community = interaction.guild_locale
    locale = interaction.locale if private or community is None else community
    return Place(
        interaction_id=interaction.id,
        application_id=interaction.application_id,
        community_id=interaction.guild_id or 0,
        channel_id=interaction.channel_id or 0,
        member_id=interaction.user.id,
        token=interaction.token,
        upload_limit=interaction.filesize_limit,
        private=private,
        locale=locale.value,
    )
