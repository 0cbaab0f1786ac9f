"""Handlers of purchases: events, and entitlements of interactions."""

from typing import Any, Final

import discord
import structlog
from discord import ui

from bot.domain.allowances import PurchasedAllowance
from bot.domain.errors import InsufficientCreditsError
from bot.domain.premium import Sku, with_purchases
from bot.services.premium import PremiumService
from bot.ui.delivery.premium_store import entitlement_of
from bot.ui.handlers.interactions import guild_of

_MOST_BUTTONS: Final = 3

_log = structlog.get_logger(__name__)


class PremiumHandlers:
    """Counts members' purchases, and offers more."""

    def __init__(self, *, premium: PremiumService) -> None:
        self._premium = premium

    async def count(self, interaction: discord.Interaction[Any]) -> None:
        """Count the member's purchases before an interaction is answered.

        A failure leaves them for the next one.
        """
        if not interaction.entitlements or not self._premium.plan.is_on:
            return
        found = [entitlement_of(each) for each in interaction.entitlements]
        try:
            await self._premium.use(guild_of(interaction), interaction.user.id, found)
        except Exception as error:  # noqa: BLE001 - the command itself may still work
            _log.error("premium.not_counted", error=type(error).__name__)

    async def note(self, entitlement: discord.Entitlement) -> None:
        """Store a change of an entitlement."""
        try:
            await self._premium.note(entitlement_of(entitlement))
        except Exception as error:  # noqa: BLE001 - the next comparison has it
            _log.error("premium.event_lost", error=type(error).__name__)

    def buttons(
        self, interaction: discord.Interaction[Any], error: InsufficientCreditsError
    ) -> list[ui.Button[ui.LayoutView]]:
        """Return the buttons to buy missing credits.

        Discord writes the label and opens its own dialog. A press comes back to nobody.
        """
        owned = {each.sku_id for each in interaction.entitlements}
        offered = [sku for sku in self._premium.skus if sku.id not in owned and self._helps(interaction, sku, error)]
        return [ui.Button(style=discord.ButtonStyle.premium, sku_id=sku.id) for sku in offered[:_MOST_BUTTONS]]

    def _helps(self, interaction: discord.Interaction[Any], sku: Sku, error: InsufficientCreditsError) -> bool:
        """Return whether a SKU can be bought here and gives more credits."""
        if not sku.is_sold or (sku.of_guild and not guild_of(interaction)):
            return False
        benefit = self._premium.plan.benefits[sku.id]
        if benefit.period is None:
            return True
        bought = PurchasedAllowance(entitlement_id=0, amount=benefit.amount, period=benefit.period)
        return error.in_force is None or with_purchases(error.in_force, [bought]).purchase is bought
