"""Answers to `/studio budget`."""

from typing import Any

import discord

from bot.domain.guild_budgets import parse_limit
from bot.services.budgets import BudgetService
from bot.ui.handlers.interactions import require_admin, require_owner
from bot.ui.render.budget_panels import budget_panel


class BudgetHandlers:
    """A server's budget in Discord."""

    def __init__(self, *, budgets: BudgetService) -> None:
        self._budgets = budgets

    async def answer(self, interaction: discord.Interaction[Any], *, amount: str | None, cap: str | None) -> None:
        """Change the given limits, and show the budget.

        Raises:
            BudgetLimitError: a limit is no number, or the admins' is above the operator's.
            NotAllowedError: the person is no admin, or gives `cap` and is not the bot's owner.
        """
        guild_id, actor_id = require_admin(interaction), interaction.user.id
        limits = [None if typed is None else parse_limit(typed) for typed in (amount, cap)]
        if cap is not None:
            await require_owner(interaction)
            await self._budgets.set_cap(guild_id, limits[1], actor_id=actor_id)
        if amount is not None:
            await self._budgets.set_limit(guild_id, limits[0], actor_id=actor_id)
        view = budget_panel(await self._budgets.get(guild_id), changed=amount is not None or cap is not None)
        await interaction.response.send_message(view=view, ephemeral=True)
