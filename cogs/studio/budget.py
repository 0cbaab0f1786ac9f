"""`/studio budget`: the server's budget and its limits."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.ui.handlers.budgets import BudgetHandlers

_LONGEST_AMOUNT = 20


class BudgetCommands(commands.Cog):
    """The budget of a server."""

    def __init__(self, *, budgets: BudgetHandlers) -> None:
        self._budgets = budgets

    @app_commands.command(name="budget", description=locale_str("See or limit what this server spends in a month"))
    @app_commands.describe(
        amount=locale_str("Credits a month for this server, or none"),
        cap=locale_str("The bot's owner only: the most that this server can be given, or none"),
    )
    async def budget(
        self,
        interaction: discord.Interaction[Any],
        amount: app_commands.Range[str, 1, _LONGEST_AMOUNT] | None = None,
        cap: app_commands.Range[str, 1, _LONGEST_AMOUNT] | None = None,
    ) -> None:
        """Show the budget, after changing its limits."""
        await self._budgets.answer(interaction, amount=amount, cap=cap)
