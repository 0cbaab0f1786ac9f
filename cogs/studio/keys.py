"""`/studio keys`: a server's own provider keys."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import KEY_ENTER, KEY_MENU, KEY_REMOVE, KEY_TEST
from bot.ui.handlers.guild_keys import GuildKeyHandlers


class KeyCommands(commands.Cog):
    """Own provider keys of a server."""

    def __init__(self, *, client: AtelierClient, handlers: GuildKeyHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the menu, the buttons and the form."""
        components = self._client.components
        components.register(KEY_MENU, self._handlers.choose)
        components.register(KEY_ENTER.action, self._handlers.open_form)
        components.register_form(KEY_ENTER.action, self._handlers.submit)
        components.register(KEY_TEST.action, self._handlers.test)
        components.register(KEY_REMOVE.action, self._handlers.remove)

    @app_commands.command(name="keys", description=locale_str("Enter this server's own keys of image services"))
    async def keys(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the card of all keys."""
        await self._handlers.show(interaction)
