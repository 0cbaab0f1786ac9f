"""`/credits`: a member's balance."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.services.credits import CreditService
from bot.ui.handlers.interactions import guild_of, roles_of
from bot.ui.render.panels import balance_panel


@app_commands.guild_only()
class Credits(commands.GroupCog, name="credits", description=locale_str("See your credits")):
    """Credits, for one's own eyes."""

    def __init__(self, *, credits: CreditService) -> None:  # noqa: A002 - the concept's name
        self._credits = credits

    @app_commands.command(name="balance", description=locale_str("See what you can spend now"))
    async def balance(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the balance."""
        balance = await self._credits.balance(guild_of(interaction), interaction.user.id, roles_of(interaction.user))
        await interaction.response.send_message(view=balance_panel(balance), ephemeral=True)
