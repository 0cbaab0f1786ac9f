"""`/privacy`: a member's own data."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import ERASE
from bot.ui.handlers.privacy import PrivacyHandlers


class Privacy(commands.GroupCog, name="privacy", description=locale_str("Get or delete what is stored about you")):
    """Export and deletion of everything about a member."""

    def __init__(self, *, client: AtelierClient, handlers: PrivacyHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the button."""
        self._client.components.register(ERASE.action, self._handlers.erase)

    @app_commands.command(name="export", description=locale_str("Get everything stored about you by direct message"))
    async def export(self, interaction: discord.Interaction[Any]) -> None:
        """Begin an export."""
        await self._handlers.export(interaction)

    @app_commands.command(name="delete", description=locale_str("Delete everything stored about you; asks first"))
    async def delete(self, interaction: discord.Interaction[Any]) -> None:
        """Ask for a confirmation."""
        await self._handlers.ask_erase(interaction)
