"""Where an interaction comes from, in the domain's terms."""

from typing import Any

import discord

from bot.domain.jobs import Place


def place_of(interaction: discord.Interaction[Any]) -> Place:
    """Return the place of an interaction; outside servers the community is 0."""
    return Place(
        interaction_id=interaction.id,
        application_id=interaction.application_id,
        community_id=interaction.guild_id or 0,
        channel_id=interaction.channel_id or 0,
        member_id=interaction.user.id,
        token=interaction.token,
        upload_limit=interaction.filesize_limit,
    )
