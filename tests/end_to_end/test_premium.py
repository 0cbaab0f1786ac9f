"""Purchases at Discord: credits arrive once, and end with a refund."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.allowances import AllowanceEntry
from db.allowances import AllowanceRepository
from db.database import Database
from sandbox.clock import StudioClock
from sandbox.discord import Sku, buttons, text
from sandbox.discord.entities import CONSUMABLE
from tests.end_to_end.system_harness import PATIENCE, SystemHarness


class Shop:
    """A running bot with a pack and a subscription for sale."""

    def __init__(self, folder: Path) -> None:
        self.system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
        self.store = self.system.discord.store
        self.pack: Sku = self.store.add_sku("500 credits", CONSUMABLE)
        self.plus: Sku = self.store.add_sku("Studio Plus")
        self._has_fakes = False
        self.member = self.system.discord.actor("member")

    async def start(self) -> None:
        """Start the bot and wait until it has compared the purchases."""
        recorder = self.system.discord.recorder
        earlier = list(recorder.requests)
        compared = asyncio.create_task(
            recorder.wait(lambda sent: sent.path.endswith("/entitlements") and sent not in earlier)
        )
        benefits = f"{self.pack.id}=grant:500, {self.plus.id}=allowance:1000/month"
        settings = {"PREMIUM_SKUS": benefits, "DEFAULT_ALLOWANCE": "10"}
        if not self._has_fakes:
            await self.system.start_fakes()
            self._has_fakes = True
        await self.system.start_bot(**settings)
        await compared

    async def block(self, member_id: str) -> None:
        """Set a member's allowance to 0, as an admin does."""
        guild = int(self.system.discord.world.guild("Community").id)
        database = await Database.open(self.system.database_url)
        entry = AllowanceEntry(member_id=int(member_id), amount=0)
        await database.write(lambda connection: AllowanceRepository(connection).set(guild, entry))
        await database.close()

    async def says(self, command: str, *words: str) -> str:
        """Return the member's view once it has these words."""
        async with asyncio.timeout(PATIENCE):
            while True:
                said = text(await (await self.member.slash(command)).response())
                if all(each in said for each in words):
                    return said


@pytest.fixture
async def shop(folder: Path) -> AsyncIterator[Shop]:
    """Yield the shop with its bot."""
    shop = Shop(folder)
    try:
        await shop.start()
        yield shop
    finally:
        await shop.system.close()


async def test_pack_counts_once_through_a_kill_and_goes_with_its_refund(shop: Shop) -> None:
    discord = shop.system.discord
    refused = await (await shop.member.slash("imagine", prompt="too dear")).response()
    assert "Bought credits count in the server where you use the studio next." in text(refused)
    assert [each["sku_id"] for each in buttons(refused)] == [shop.pack.id, shop.plus.id]

    tried = shop.store.buy(shop.member.user, shop.pack, test_mode=True)
    assert "10 credits to spend" in await shop.says("credits balance")
    shop.store.refund(tried)

    gate = discord.faults.hold("POST", "consume$")
    bought = shop.store.buy(shop.member.user, shop.pack)
    assert "510 credits to spend" in await shop.says("credits balance")
    await gate.wait_hit()
    await shop.system.stop_bot(signal.SIGKILL)
    discord.faults.clear()
    states = [bought.consumed]
    consumed = asyncio.create_task(discord.recorder.wait(lambda sent: sent.path.endswith("/consume")))
    await shop.start()
    await consumed
    # A second delivery of the purchase, and its entitlement with each command.
    shop.store._announce("ENTITLEMENT_CREATE", bought)
    said = await shop.says("credits balance")
    assert "510 credits to spend" in said
    assert [*states, bought.consumed] == [False, True]

    for _ in range(2):
        shop.store.refund(bought)
    await shop.says("credits balance", "10 credits to spend")
    history = await shop.says("credits history", "refund")
    assert "+500** Premium: bought credits" in history
    assert history.count("Premium: taken back after a refund") == 1
    assert (await shop.system.ledger()).problems == []


async def test_subscription_counts_until_its_end_by_the_clock(shop: Shop) -> None:
    bought = shop.store.buy(shop.member.user, shop.plus)
    await shop.says("credits balance", "1,000 credits to spend", "Premium: 1,000 credits a month")
    # Its member cancels; the bot is away and misses it.
    await shop.system.stop_bot()
    bought.ends_at = shop.system.clock() + 3600
    await shop.start()
    await shop.says("credits balance", "Premium: 1,000 credits a month until <t:")
    shop.system.clock.advance(hours=1)
    said = await shop.says("credits balance", "10 credits to spend")
    assert "Premium" not in said

    # Where an admin gives a member nothing, a subscription would not help: it is not offered.
    await shop.block(shop.member.user.id)
    refused = await (await shop.member.slash("imagine", prompt="blocked")).response()
    assert [each["sku_id"] for each in buttons(refused)] == [shop.pack.id]
