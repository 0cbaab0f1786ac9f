"""`/help`: how to begin, from the catalogue."""

from collections.abc import Callable, Mapping
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.catalogue import Catalogue
from bot.ui.render.panels import help_panel


class Help(commands.Cog):
    """First steps and the offered models."""

    def __init__(
        self, *, catalogue: Catalogue, command_ids: Callable[[], Mapping[str, int]], mentions: bool, contact: str | None
    ) -> None:
        self._catalogue = catalogue
        self._mentions = mentions
        self._contact = contact
        self._command_ids = command_ids

    @app_commands.command(name="help", description=locale_str("See how to make pictures, and what each model can do"))
    async def help(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the help."""
        view = help_panel(self._catalogue, self._command_ids(), mentions=self._mentions, contact=self._contact)
        await interaction.response.send_message(view=view, ephemeral=True)
