"""`/credits`: balances, their history, grants and allowances."""

from functools import partial
from typing import Any, Final

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.allowances import MAX_CREDITS, PeriodKind
from bot.domain.ledger_entries import LedgerFilter
from bot.services.credit_administration import LONGEST_REASON
from bot.services.history import Direction
from bot.ui.buttons import (
    ALLOWANCE_CANCEL,
    ALLOWANCE_OF,
    ALLOWANCE_SAVE,
    ALLOWANCE_UNSET,
    ALLOWANCES,
    LEDGER,
    LEDGER_FILTER,
    LEDGER_NEWER,
    LEDGER_OLDER,
)
from bot.ui.handlers.allowances import AllowanceHandlers
from bot.ui.handlers.credits import CreditHandlers

_LONGEST_AMOUNT: Final = 40
_MEMBER: Final = locale_str("Choose the member")
_REASON: Final = locale_str("Say why; the member reads it in their history")

Amount = app_commands.Range[int, 1, MAX_CREDITS]
Reason = app_commands.Range[str, 1, LONGEST_REASON]


@app_commands.guild_only()
class Credits(commands.GroupCog, name="credits", description=locale_str("See and manage credits")):
    """Credits: everybody sees their own, moderators all, admins change them.

    Discord cannot hide single commands of a group, so the handlers check the rights.
    """

    def __init__(self, *, client: AtelierClient, handlers: CreditHandlers, allowances: AllowanceHandlers) -> None:
        self._client = client
        self._handlers = handlers
        self._allowances = allowances

    async def cog_load(self) -> None:
        """Register the buttons and menus."""
        components, handlers, allowances = self._client.components, self._handlers, self._allowances
        components.register(LEDGER.action, handlers.open_history)
        components.register(LEDGER_FILTER.action, handlers.filter_history)
        components.register(LEDGER_NEWER.action, partial(handlers.turn_history, direction=Direction.NEWER))
        components.register(LEDGER_OLDER.action, partial(handlers.turn_history, direction=Direction.OLDER))
        components.register(ALLOWANCES.action, allowances.show_list)
        components.register(ALLOWANCE_SAVE.action, allowances.save)
        components.register(ALLOWANCE_CANCEL.action, allowances.cancel)
        components.register(ALLOWANCE_UNSET, allowances.unset)
        components.register(ALLOWANCE_OF, allowances.explain)

    @commands.Cog.listener()
    async def on_guild_role_delete(self, role: discord.Role) -> None:
        """Remove the allowance of a deleted role."""
        await self._allowances.forget_role(role.guild.id, role.id)

    @app_commands.command(name="balance", description=locale_str("See what you can spend now"))
    @app_commands.describe(member=locale_str("See a member's balance; for moderators"))
    async def balance(self, interaction: discord.Interaction[Any], member: discord.User | None = None) -> None:
        """Answer with the balance."""
        await self._handlers.show_balance(interaction, member)

    @app_commands.command(name="history", description=locale_str("See where your credits came from and went"))
    @app_commands.describe(
        show=locale_str("See only what was spent, or received"),
        member=locale_str("See a member's credits; for moderators"),
    )
    @app_commands.choices(
        show=[
            app_commands.Choice(name=locale_str("everything"), value=LedgerFilter.ALL.value),
            app_commands.Choice(name=locale_str("spent"), value=LedgerFilter.SPENT.value),
            app_commands.Choice(name=locale_str("received"), value=LedgerFilter.RECEIVED.value),
        ]
    )
    async def history(
        self,
        interaction: discord.Interaction[Any],
        show: str = LedgerFilter.ALL.value,
        member: discord.User | None = None,
    ) -> None:
        """Answer with the latest movements."""
        await self._handlers.show_history(interaction, member, LedgerFilter(show))

    @app_commands.command(name="grant", description=locale_str("Give a member credits that do not expire; for admins"))
    @app_commands.describe(
        member=locale_str("Choose who gets them"),
        amount=locale_str("How many credits"),
        reason=_REASON,
    )
    async def grant(
        self, interaction: discord.Interaction[Any], member: discord.User, amount: Amount, reason: Reason | None = None
    ) -> None:
        """Grant credits."""
        await self._handlers.grant(interaction, member, amount, reason or "")

    @app_commands.command(name="take", description=locale_str("Take granted credits back from a member; for admins"))
    @app_commands.describe(
        member=_MEMBER,
        amount=locale_str("How many credits, or all if there are fewer"),
        reason=_REASON,
    )
    async def take(
        self, interaction: discord.Interaction[Any], member: discord.User, amount: Amount, reason: Reason | None = None
    ) -> None:
        """Take granted credits back."""
        await self._handlers.take(interaction, member, amount, reason or "")

    @app_commands.command(
        name="reset", description=locale_str("Give a member the used part of their allowance back; for admins")
    )
    @app_commands.describe(member=_MEMBER, reason=_REASON)
    async def reset(
        self, interaction: discord.Interaction[Any], member: discord.User, reason: Reason | None = None
    ) -> None:
        """Give the used allowance back."""
        await self._handlers.reset(interaction, member, reason or "")

    @app_commands.command(
        name="allowance", description=locale_str("See all allowances, or set one for all, a role or a member")
    )
    @app_commands.describe(
        amount=locale_str("A number of credits (0 gives none), unlimited, or unset"),
        period=locale_str("How often it is renewed (default: every day)"),
        role=locale_str("Set it for this role"),
        member=locale_str("Set it for this member alone"),
    )
    @app_commands.choices(
        period=[
            app_commands.Choice(name=locale_str("day"), value=PeriodKind.DAY.value),
            app_commands.Choice(name=locale_str("week"), value=PeriodKind.WEEK.value),
            app_commands.Choice(name=locale_str("month"), value=PeriodKind.MONTH.value),
        ]
    )
    async def allowance(
        self,
        interaction: discord.Interaction[Any],
        amount: app_commands.Range[str, 1, _LONGEST_AMOUNT] | None = None,
        period: str | None = None,
        role: discord.Role | None = None,
        member: discord.User | None = None,
    ) -> None:
        """List allowances, or ask before one is changed."""
        kind = None if period is None else PeriodKind(period)
        await self._allowances.set(interaction, amount, kind, role, member)
