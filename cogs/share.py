"""`/share`, the message menu "Share to showcase", buttons and forms."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import OLDER_SHARES, REVISE, SHARE, SHARES, WITHDRAW, WITHDRAW_NOW
from bot.ui.handlers.sharing.share import ShareHandlers


@app_commands.guild_only()
class Share(commands.GroupCog, name="share", description=locale_str("Your pictures on their way to the showcase")):
    """Members' side of sharing."""

    def __init__(self, *, client: AtelierClient, handlers: ShareHandlers) -> None:
        self._client = client
        self._handlers = handlers
        self._menu = app_commands.ContextMenu(name=locale_str("Share to showcase"), callback=self._share)

    async def cog_load(self) -> None:
        """Register the message menu, the buttons and the forms."""
        components, handlers = self._client.components, self._handlers
        self._client.tree.add_command(self._menu)
        components.register(SHARE.action, handlers.open, of_job=True)
        components.register(REVISE.action, handlers.open_revision)
        components.register(WITHDRAW.action, handlers.ask_withdraw)
        components.register(WITHDRAW_NOW.action, handlers.withdraw)
        components.register(SHARES.action, handlers.turn_to_latest)
        components.register(OLDER_SHARES.action, handlers.turn_to_older)
        components.register_form(SHARE.action, handlers.submit, of_job=True)
        components.register_form(REVISE.action, handlers.submit_revision)

    @app_commands.command(name="list", description=locale_str("See where what you share stands, and withdraw it"))
    async def list_(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the member's submissions in this server."""
        await self._handlers.show_list(interaction)

    async def _share(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._handlers.open_for_message(interaction, message)
