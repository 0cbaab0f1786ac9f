"""Purchases of the application's SKUs, announced to the bot."""

from typing import Final

from sandbox.discord.client_rules import ClientRefusal
from sandbox.discord.encoding import Json, stamp
from sandbox.discord.entities import (
    CONSUMABLE,
    FOR_GUILD,
    FOR_USER,
    SUBSCRIPTION,
    SUBSCRIPTION_GROUP,
    Entitlement,
    Guild,
    Sku,
    User,
)
from sandbox.discord.gateway import Gateway
from sandbox.discord.state import World

PURCHASE: Final = 1
TEST_MODE_PURCHASE: Final = 4
APPLICATION_SUBSCRIPTION: Final = 8

_AVAILABLE: Final = 1 << 2
_GUILD_SUBSCRIPTION: Final = 1 << 7
_USER_SUBSCRIPTION: Final = 1 << 8


class Store:
    """Sells SKUs to people, and ends or refunds their entitlements.

    An entitlement of a subscription has no end until the subscription ends. Expired ones remain; a refund deletes.
    """

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world = world
        self._gateway = gateway

    def add_sku(self, name: str, kind: int = SUBSCRIPTION, *, for_guild: bool = False) -> Sku:
        """Offer a SKU; `for_guild` makes a subscription one of servers."""
        group_id = self._world.snowflakes.next()
        sku = Sku(id=self._world.snowflakes.next(), group_id=group_id, name=name, kind=kind, for_guild=for_guild)
        self._world.skus[sku.id] = sku
        return sku

    def buy(self, user: User, sku: Sku, *, guild: Guild | None = None, test_mode: bool = False) -> Entitlement:
        """Buy a SKU as a person, for themselves or for a server.

        Raises:
            ClientRefusal: The SKU needs a server, or is theirs already.
        """
        if sku.for_guild and guild is None:
            raise ClientRefusal(f"{sku.name} is bought for a server.")
        owner = guild if sku.for_guild else None
        if not test_mode and self._owned(user, sku, owner):
            raise ClientRefusal(f"{sku.name} is bought already.")
        usual = APPLICATION_SUBSCRIPTION if sku.kind == SUBSCRIPTION else PURCHASE
        return self._add(
            sku,
            user_id=user.id,
            guild_id=None if owner is None else owner.id,
            kind=TEST_MODE_PURCHASE if test_mode else usual,
            starts_at=self._world.now(),
        )

    def grant_test(self, sku: Sku, owner_id: str, owner_type: int) -> Entitlement:
        """Create a test entitlement, as the bot asks; it has no dates."""
        return self._add(
            sku,
            user_id=owner_id if owner_type == FOR_USER else None,
            guild_id=owner_id if owner_type == FOR_GUILD else None,
            kind=APPLICATION_SUBSCRIPTION,
            test=True,
        )

    def end(self, entitlement: Entitlement) -> None:
        """End an entitlement now, as a cancelled subscription ends."""
        entitlement.ends_at = self._world.now()
        self._announce("ENTITLEMENT_UPDATE", entitlement)

    def refund(self, entitlement: Entitlement) -> None:
        """Delete an entitlement, as a refund does."""
        entitlement.deleted = True
        self._announce("ENTITLEMENT_DELETE", entitlement)

    def consume(self, entitlement: Entitlement) -> None:
        """Mark a consumable purchase as consumed, as the bot asks."""
        entitlement.consumed = True
        self._announce("ENTITLEMENT_UPDATE", entitlement)

    def _owned(self, user: User, sku: Sku, guild: Guild | None) -> bool:
        return any(
            each.sku_id == sku.id and each.guild_id == (None if guild is None else guild.id)
            for each in self._world.active_entitlements(user.id, None if guild is None else guild.id)
        )

    def _add(
        self,
        sku: Sku,
        *,
        user_id: str | None,
        guild_id: str | None,
        kind: int,
        starts_at: float | None = None,
        test: bool = False,
    ) -> Entitlement:
        entitlement = Entitlement(
            id=self._world.snowflakes.next(),
            sku_id=sku.id,
            user_id=user_id,
            guild_id=guild_id,
            kind=kind,
            starts_at=starts_at,
            test=test,
        )
        self._world.entitlements[entitlement.id] = entitlement
        self._announce("ENTITLEMENT_CREATE", entitlement)
        return entitlement

    def _announce(self, event: str, entitlement: Entitlement) -> None:
        data = entitlement_payload(entitlement, self._world)
        self._gateway.dispatch(event, data, guild_id=entitlement.guild_id)


def sku_payload(sku: Sku, world: World) -> Json:
    """Return a SKU."""
    access = (_GUILD_SUBSCRIPTION if sku.for_guild else _USER_SUBSCRIPTION) if sku.kind == SUBSCRIPTION else 0
    return {
        "id": sku.id,
        "type": sku.kind,
        "dependent_sku_id": None,
        "application_id": world.application.id,
        "manifest_labels": None,
        "access_type": 1,
        "name": sku.name,
        "features": [],
        "release_date": None,
        "premium": False,
        "slug": sku.name.lower().replace(" ", "-"),
        "flags": _AVAILABLE | access,
        "show_age_gate": False,
    }


def group_payload(sku: Sku, world: World) -> Json:
    """Return the group that Discord adds to each subscription."""
    return {**sku_payload(sku, world), "id": sku.group_id, "type": SUBSCRIPTION_GROUP}


def entitlement_payload(entitlement: Entitlement, world: World) -> Json:
    """Return an entitlement; a test one has no dates."""
    payload: Json = {
        "id": entitlement.id,
        "sku_id": entitlement.sku_id,
        "application_id": world.application.id,
        "type": entitlement.kind,
        "deleted": entitlement.deleted,
        "gift_code_flags": 0,
        "promotion_id": None,
    }
    if not entitlement.test:
        payload["starts_at"] = None if entitlement.starts_at is None else stamp(entitlement.starts_at)
        payload["ends_at"] = None if entitlement.ends_at is None else stamp(entitlement.ends_at)
    if entitlement.user_id is not None:
        payload["user_id"] = entitlement.user_id
    if entitlement.guild_id is not None:
        payload["guild_id"] = entitlement.guild_id
    if world.skus[entitlement.sku_id].kind == CONSUMABLE:
        payload["consumed"] = entitlement.consumed
    return payload
