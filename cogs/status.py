"""`/status`: how the studio is doing."""

from collections.abc import Callable
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.services.status import StatusService
from bot.ui.handlers.interactions import guild_of
from bot.ui.render.panels import status_panel


class StudioStatus(commands.Cog):
    """Providers, line and usual waits."""

    def __init__(self, *, status: StatusService, provider_name: Callable[[str], str]) -> None:
        self._status = status
        self._provider_name = provider_name

    @app_commands.command(name="status", description=locale_str("See whether the studio is open and how busy it is"))
    async def status(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the status."""
        view = status_panel(await self._status.get(guild_of(interaction)), self._provider_name)
        await interaction.response.send_message(view=view, ephemeral=True)
