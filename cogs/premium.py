"""Events of purchases."""

import discord
from discord.ext import commands

from bot.ui.handlers.premium import PremiumHandlers


class Premium(commands.Cog):
    """Purchases, their ends and refunds. An end without an event counts too."""

    def __init__(self, *, handlers: PremiumHandlers) -> None:
        self._handlers = handlers

    @commands.Cog.listener()
    async def on_entitlement_create(self, entitlement: discord.Entitlement) -> None:
        """Store a purchase."""
        await self._handlers.note(entitlement)

    @commands.Cog.listener()
    async def on_entitlement_update(self, entitlement: discord.Entitlement) -> None:
        """Store the end of a subscription, or its renewal."""
        await self._handlers.note(entitlement)

    @commands.Cog.listener()
    async def on_entitlement_delete(self, entitlement: discord.Entitlement) -> None:
        """Take a refunded purchase back."""
        await self._handlers.note(entitlement)
