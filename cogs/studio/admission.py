"""`/studio admit`: admission of servers by the bot's owner."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.errors import NotAllowedError
from bot.domain.lazy_text import LazyText
from bot.services.access import AccessService
from bot.ui.render.panels import admission_ended_panel, admitted_panel


class AdmissionCommands(commands.Cog):
    """Commands for the bot's owner."""

    def __init__(self, *, access: AccessService) -> None:
        self._access = access

    @app_commands.command(
        name="admit", description=locale_str("Admit this server to the studio (the bot's owner only)")
    )
    async def admit(self, interaction: discord.Interaction[Any]) -> None:
        """Admit the server of the command."""
        if not await interaction.client.is_owner(interaction.user):
            raise NotAllowedError(LazyText("the bot's owner"))
        guild_id = interaction.guild_id or 0
        admission = await self._access.admit(guild_id, by=interaction.user.id)
        await interaction.response.send_message(view=admitted_panel(admission, guild_id), ephemeral=True)

    @app_commands.command(name="unadmit", description=locale_str("End this server's admission (the bot's owner only)"))
    async def unadmit(self, interaction: discord.Interaction[Any]) -> None:
        """End the admission of the server of the command."""
        if not await interaction.client.is_owner(interaction.user):
            raise NotAllowedError(LazyText("the bot's owner"))
        ended = await self._access.end_admission(interaction.guild_id or 0, by=interaction.user.id)
        await interaction.response.send_message(view=admission_ended_panel(ended=ended), ephemeral=True)
