"""Purchases from the panel."""

import pytest

from sandbox.discord import DiscordServer
from sandbox.discord.encoding import Json
from tests.sandbox.web.conftest import OpenClient
from tests.sandbox.web.ws_client import RefusedError, WsClient


async def shown(client: WsClient, state: str) -> Json:
    """Return the latest purchase of the panel once it has a state."""

    def matches(event: Json) -> bool:
        bought = event["panel"]["store"]["entitlements"] if event["event"] == "panel" else []
        return bool(bought) and bought[0]["state"] == state

    event = await client.wait_for_event(matches)
    found: Json = event["panel"]["store"]["entitlements"][0]
    return found


async def test_purchase_is_shown_ended_and_refunded(open_client: OpenClient, discord_server: DiscordServer) -> None:
    sku = discord_server.store.add_sku("Studio Server", for_guild=True)
    client, other = await open_client("member"), await open_client("owner")
    await client.ask("buy", sku=sku.id, channel=client.channel)
    bought = await shown(other, "active")
    assert (bought["name"], bought["owner"]) == ("Studio Server", "Member, Community")
    await other.ask("entitlement", id=bought["id"], action="end")
    await shown(client, "ended")
    await other.ask("entitlement", id=bought["id"], action="refund")
    await shown(client, "refunded")

    with pytest.raises(RefusedError):
        await other.ask("entitlement", id=bought["id"], action="end")


async def test_impossible_purchase_is_refused(open_client: OpenClient, discord_server: DiscordServer) -> None:
    sku = discord_server.store.add_sku("Studio Server", for_guild=True)
    client = await open_client("member")
    bought = discord_server.store.buy(
        discord_server.world.user("member"), sku, guild=discord_server.world.guild("Community")
    )
    for what, body in (
        ("buy", {"sku": sku.id, "channel": client.channel}),
        ("buy", {"sku": sku.id, "channel": client.world["direct"]["id"]}),
        ("buy", {"sku": "1", "channel": client.channel}),
        ("entitlement", {"id": "1", "action": "end"}),
        ("entitlement", {"id": bought.id, "action": "sell"}),
    ):
        with pytest.raises(RefusedError):
            await client.ask(what, **body)
