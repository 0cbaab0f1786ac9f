"""`/history`: one's own pictures."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.services.history import LONGEST_SEARCH
from bot.ui.handlers.history import HistoryHandlers


class History(commands.Cog):
    """Looking back, for one's own eyes."""

    def __init__(self, *, gallery: HistoryHandlers) -> None:
        self._gallery = gallery

    @app_commands.command(name="history", description=locale_str("See your pictures again"))
    @app_commands.describe(search=locale_str("A part of the prompt"))
    async def history(
        self, interaction: discord.Interaction[Any], search: app_commands.Range[str, 1, LONGEST_SEARCH] | None = None
    ) -> None:
        """Answer with the latest page."""
        await self._gallery.open(interaction, search)
