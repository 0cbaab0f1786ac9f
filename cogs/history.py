"""`/history`: one's own pictures."""

from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.services.history import LONGEST_SEARCH, Direction
from bot.ui.buttons import FAVOURITE, NEWER, OLDER, OPEN, OVERVIEW, OVERVIEW_NEWER, OVERVIEW_OLDER, UNFAVOURITE
from bot.ui.handlers.history import HistoryHandlers


class History(commands.Cog):
    """Looking back, for one's own eyes."""

    def __init__(self, *, client: AtelierClient, history: HistoryHandlers) -> None:
        self._client = client
        self._history = history

    async def cog_load(self) -> None:
        """Register the buttons and the menu."""
        components, history = self._client.components, self._history
        overview = history.show_overview
        components.register(NEWER.action, history.show_newer, of_job=True)
        components.register(OLDER.action, history.show_older, of_job=True)
        components.register(OVERVIEW.action, overview, of_job=True)
        components.register(OVERVIEW_NEWER.action, partial(overview, direction=Direction.NEWER), of_job=True)
        components.register(OVERVIEW_OLDER.action, partial(overview, direction=Direction.OLDER), of_job=True)
        components.register(OPEN, history.open_job)
        components.register(FAVOURITE.action, partial(history.mark_favourite, favourite=True), of_job=True)
        components.register(UNFAVOURITE.action, partial(history.mark_favourite, favourite=False), of_job=True)

    @app_commands.command(name="history", description=locale_str("See your pictures again"))
    @app_commands.describe(search=locale_str("A part of the prompt"))
    async def history(
        self, interaction: discord.Interaction[Any], search: app_commands.Range[str, 1, LONGEST_SEARCH] | None = None
    ) -> None:
        """Answer with the latest pictures."""
        await self._history.open(interaction, search)
