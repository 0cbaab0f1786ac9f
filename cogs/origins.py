"""The message menu "Was this made here?"."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.handlers.origins import OriginHandlers


class Origins(commands.Cog):
    """Search for the jobs behind a message's pictures."""

    def __init__(self, *, client: AtelierClient, handlers: OriginHandlers) -> None:
        self._client = client
        self._handlers = handlers
        self._menu = app_commands.ContextMenu(name=locale_str("Was this made here?"), callback=self._find)
        self._menu.guild_only = True

    async def cog_load(self) -> None:
        """Register the message menu."""
        self._client.tree.add_command(self._menu)

    async def _find(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._handlers.ask(interaction, message)
