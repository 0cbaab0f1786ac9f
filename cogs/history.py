"""`/history`: one's own pictures."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.services.history import LONGEST_SEARCH
from bot.ui.buttons import NEWER, OLDER
from bot.ui.handlers.history import HistoryHandlers


class History(commands.Cog):
    """Looking back, for one's own eyes."""

    def __init__(self, *, client: AtelierClient, history: HistoryHandlers) -> None:
        self._client = client
        self._history = history

    async def cog_load(self) -> None:
        """Register the buttons of a page."""
        self._client.components.register(NEWER.action, self._history.show_newer)
        self._client.components.register(OLDER.action, self._history.show_older)

    @app_commands.command(name="history", description=locale_str("See your pictures again"))
    @app_commands.describe(search=locale_str("A part of the prompt"))
    async def history(
        self, interaction: discord.Interaction[Any], search: app_commands.Range[str, 1, LONGEST_SEARCH] | None = None
    ) -> None:
        """Answer with the latest page."""
        await self._history.open(interaction, search)
