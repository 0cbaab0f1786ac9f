"""`/studio pause` and `/studio resume`, and the owner's buttons."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.pauses import MAX_REASON
from bot.ui.buttons import KEEP_RUNNING, PAUSE_ALL, PAUSE_ALL_NOW, RESUME_ALL
from bot.ui.handlers.pauses import PauseHandlers


class PauseCommands(commands.Cog):
    """Stops of new jobs."""

    def __init__(self, *, client: AtelierClient, pauses: PauseHandlers) -> None:
        self._client = client
        self._pauses = pauses

    async def cog_load(self) -> None:
        """Register the buttons of the owner's messages."""
        components = self._client.components
        components.register(PAUSE_ALL.action, self._pauses.ask_pause_all)
        components.register(PAUSE_ALL_NOW.action, self._pauses.pause_all)
        components.register(KEEP_RUNNING.action, self._pauses.keep_running)
        components.register(RESUME_ALL.action, self._pauses.resume_all)

    @app_commands.command(name="pause", description=locale_str("Stop new pictures in this server; running ones finish"))
    @app_commands.describe(reason=locale_str("Members see it when they are refused"))
    async def pause(
        self, interaction: discord.Interaction[Any], reason: app_commands.Range[str, 1, MAX_REASON] = ""
    ) -> None:
        """Pause the studio in the server."""
        await self._pauses.pause_guild(interaction, reason)

    @app_commands.command(name="resume", description=locale_str("End the pause of this server"))
    async def resume(self, interaction: discord.Interaction[Any]) -> None:
        """End the pause of the server."""
        await self._pauses.resume_guild(interaction)
