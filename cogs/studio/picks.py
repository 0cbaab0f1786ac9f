"""`/studio picks`: the week's picks."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import PICKS_ABOUT, PICKS_POST
from bot.ui.handlers.sharing.picks import PickHandlers


class PickCommands(commands.Cog):
    """The week's picks, for moderators."""

    def __init__(self, *, client: AtelierClient, handlers: PickHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons."""
        self._client.components.register(PICKS_POST.action, self._handlers.post)
        self._client.components.register(PICKS_ABOUT.action, self._handlers.explain)

    @app_commands.command(name="picks", description=locale_str("See the week's most voted pictures, and post them"))
    async def picks(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the week's picks."""
        await self._handlers.preview(interaction)
