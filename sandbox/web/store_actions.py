"""Purchases in the panel and by premium buttons."""

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from sandbox.discord import Actor, ClientRefusal, DiscordServer, Entitlement
from sandbox.discord.encoding import Json
from sandbox.web.message_parsing import read_text

_SHOWN: Final = 20


class StoreActions:
    """Buys SKUs as the tab's user, and ends or refunds entitlements."""

    def __init__(self, discord: DiscordServer) -> None:
        self._discord = discord
        self._world = discord.world
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {
            "buy": self.buy,
            "entitlement": self.entitlement,
        }

    def state(self) -> Json:
        """Return all SKUs and the latest entitlements."""
        latest = islice(reversed(self._world.entitlements.values()), _SHOWN)
        return {
            "skus": [{"id": sku.id, "name": sku.name, "for_guild": sku.for_guild} for sku in self._world.skus.values()],
            "entitlements": [self._shown(each) for each in latest],
        }

    async def buy(self, actor: Actor, body: Json) -> Json:
        """Buy a SKU, in a channel for its server."""
        channel = self._world.channels[read_text(body, "channel")]
        actor.sees(channel)
        guild = None if channel.guild_id is None else self._world.guilds[channel.guild_id]
        self._discord.store.buy(actor.user, self._world.skus[read_text(body, "sku")], guild=guild)
        return {}

    async def entitlement(self, _: Actor, body: Json) -> Json:
        """End an entitlement, or refund it."""
        entitlement = self._world.entitlements[read_text(body, "id")]
        if entitlement.deleted:
            raise ClientRefusal("This purchase is refunded already.")
        match body.get("action"):
            case "end":
                self._discord.store.end(entitlement)
            case "refund":
                self._discord.store.refund(entitlement)
            case _:
                raise ClientRefusal("A purchase can end or be refunded.")
        return {}

    def _shown(self, entitlement: Entitlement) -> Json:
        user, guild = entitlement.user_id, entitlement.guild_id
        owners = [self._world.users[user].display_name] if user is not None else []
        owners += [self._world.guilds[guild].name] if guild in self._world.guilds else []
        return {
            "id": entitlement.id,
            "name": self._world.skus[entitlement.sku_id].name,
            "owner": ", ".join(owners),
            "state": self._state_of(entitlement),
        }

    def _state_of(self, entitlement: Entitlement) -> str:
        if entitlement.deleted:
            return "refunded"
        if entitlement.has_ended(self._world.now()):
            return "ended"
        return "consumed" if entitlement.consumed else "active"
