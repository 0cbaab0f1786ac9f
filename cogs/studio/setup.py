"""`/studio setup` and `/studio show`."""

from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import SETUP, SETUP_SECTIONS
from bot.ui.handlers.setup import SetupHandlers


class SetupCommands(commands.Cog):
    """Setup of a server."""

    def __init__(self, *, client: AtelierClient, handlers: SetupHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons and the forms."""
        components = self._client.components
        components.register(SETUP.action, self._handlers.open)
        for section, spec in SETUP_SECTIONS.items():
            components.register(spec.action, partial(self._handlers.open_form, section=section))
            components.register_form(spec.action, partial(self._handlers.submit, section=section))

    @app_commands.command(name="setup", description=locale_str("Set up the studio in this server"))
    async def setup(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the setup card."""
        await self._handlers.show_setup(interaction)

    @app_commands.command(name="show", description=locale_str("See how the studio is set up, and what is missing"))
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with all settings."""
        await self._handlers.show_settings(interaction)
