"""The application's store at Discord: SKUs and entitlements."""

from collections.abc import AsyncIterator, Collection
from typing import Any, Final

import discord

from bot.domain.premium import Entitlement, Sku, SkuKind
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded

_PAGE: Final = 100
# Discord refuses for good: the SKU is no consumable, or the entitlement is refunded.
_REFUSED: Final = frozenset({400, 404})


class DiscordPremiumStore:
    """Reads and consumes entitlements by the bot's token."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def list_skus(self) -> Collection[Sku]:
        """Return the application's SKUs without the groups of subscriptions."""
        async with bounded(REQUEST_SECONDS, in_channel=False):
            found = await self._client.fetch_skus()
        return [sku for sku in map(sku_of, found) if sku is not None]

    async def list_entitlements(self, sku_ids: Collection[int]) -> AsyncIterator[Entitlement]:
        """Return all entitlements of SKUs, ended and deleted ones included."""
        after = 0
        while True:
            async with bounded(REQUEST_SECONDS, in_channel=False):
                # discord.py's own iterator leaves deleted ones out, whatever it is asked for.
                page = await self._client.http.get_entitlements(
                    self._application_id, sku_ids=list(sku_ids), after=after, limit=_PAGE, exclude_deleted=False
                )
            for data in page:
                yield entitlement_of(discord.Entitlement(state=self._client._connection, data=data))  # noqa: SLF001
            if len(page) < _PAGE:
                return
            after = max(int(data["id"]) for data in page)

    async def consume(self, entitlement_id: int) -> None:
        """Mark a consumable as used up; other purchases stay as they are."""
        try:
            async with bounded(REQUEST_SECONDS, in_channel=False):
                await self._client.http.consume_entitlement(self._application_id, entitlement_id)
        except discord.HTTPException as error:
            if error.status not in _REFUSED:
                raise

    @property
    def _application_id(self) -> int:
        if self._client.application_id is None:
            raise discord.MissingApplicationID
        return self._client.application_id


def entitlement_of(entitlement: discord.Entitlement) -> Entitlement:
    """Return an entitlement of Discord's.

    Test entitlements of subscriptions have no dates.
    """
    is_subscription = entitlement.type is discord.EntitlementType.application_subscription
    is_test_mode = entitlement.type is discord.EntitlementType.test_mode_purchase
    has_dates = entitlement.starts_at is not None or entitlement.ends_at is not None
    return Entitlement(
        id=entitlement.id,
        sku_id=entitlement.sku_id,
        user_id=entitlement.user_id or 0,
        guild_id=entitlement.guild_id or 0,
        starts_at=entitlement.starts_at,
        ends_at=entitlement.ends_at,
        is_deleted=entitlement.deleted,
        is_consumed=entitlement.consumed,
        is_test=is_test_mode or (is_subscription and not has_dates),
    )


def sku_of(sku: Any) -> Sku | None:
    """Return a SKU of Discord's, None if it is nothing to buy."""
    try:
        kind = SkuKind(sku.type.value)
    except ValueError:
        return None
    return Sku(
        id=sku.id,
        name=sku.name,
        kind=kind,
        is_sold=sku.flags.available,
        of_guild=sku.flags.guild_subscription,
    )
