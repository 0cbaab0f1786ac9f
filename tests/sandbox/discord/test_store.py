"""SKUs and entitlements, as the bot reads and receives them."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer, Entitlement, Sku
from sandbox.discord.entities import CONSUMABLE
from tests.sandbox.discord.fixture_bot import PATIENCE, Clock, FixtureBot

DAY = 86_400.0


@pytest.fixture
def plus(server: DiscordServer) -> Sku:
    """Give a subscription of people."""
    return server.store.add_sku("Studio Plus")


@pytest.fixture
def pack(server: DiscordServer) -> Sku:
    """Give a consumable purchase."""
    return server.store.add_sku("500 credits", CONSUMABLE)


def buy(server: DiscordServer, sku: Sku, who: str = "member", guild: str = "Community") -> Entitlement:
    """Buy a SKU as a person."""
    return server.store.buy(server.world.user(who), sku, guild=server.world.guild(guild))


async def owned(server: DiscordServer, bot: FixtureBot, who: str = "member", channel: str = "general") -> list[int]:
    """Return the SKUs of the entitlements in an interaction of a person."""
    place = server.direct_message(who) if channel == "direct" else server.world.channel(channel)
    await (await server.actor(who).slash("hello", channel=place)).response()
    return [each.sku_id for each in bot.seen[-1].entitlements]


async def test_skus_are_listed_with_their_groups(server: DiscordServer, bot: FixtureBot, plus: Sku, pack: Sku) -> None:
    server.store.add_sku("Studio Server", for_guild=True)
    found = await bot.fetch_skus()
    assert [(each.name, each.type.name) for each in found] == [
        ("Studio Plus", "subscription_group"),
        ("Studio Plus", "subscription"),
        ("500 credits", "consumable"),
        ("Studio Server", "subscription_group"),
        ("Studio Server", "subscription"),
    ]
    assert [each.flags.guild_subscription for each in found] == [False, False, False, True, True]
    assert len({each.id for each in found}) == 5
    assert {int(plus.id), int(pack.id)} <= {each.id for each in found}


async def test_purchase_is_announced_and_in_interactions_of_its_person(
    server: DiscordServer, bot: FixtureBot, plus: Sku
) -> None:
    created = bot.wait_for("entitlement_create", timeout=PATIENCE)
    bought = buy(server, plus)
    seen = await created
    assert (seen.id, seen.user_id, seen.guild_id, seen.ends_at) == (
        int(bought.id),
        int(bought.user_id or 0),
        None,
        None,
    )
    assert seen.type is discord.EntitlementType.application_subscription

    assert await owned(server, bot) == [int(plus.id)]
    assert await owned(server, bot, channel="direct") == [int(plus.id)]
    assert await owned(server, bot, "member-two") == []


async def test_subscription_of_server_is_for_all_in_it(server: DiscordServer, bot: FixtureBot) -> None:
    sku = server.store.add_sku("Studio Server", for_guild=True)
    created = bot.wait_for("entitlement_create", timeout=PATIENCE)
    buy(server, sku)
    seen = await created
    assert (str(seen.guild_id), str(seen.user_id)) == (
        server.world.guild("Community").id,
        server.world.user("member").id,
    )

    assert await owned(server, bot, "member-two") == [int(sku.id)]
    assert await owned(server, bot, channel="direct") == []


async def test_ended_subscription_is_updated_and_no_longer_sent(
    server: DiscordServer, bot: FixtureBot, plus: Sku, clock: Clock
) -> None:
    bought = buy(server, plus)
    clock.advance(30 * DAY)
    updated = bot.wait_for("entitlement_update", timeout=PATIENCE)
    server.store.end(bought)
    seen = await updated
    assert seen.ends_at is not None
    assert seen.ends_at.timestamp() == pytest.approx(clock())
    assert await owned(server, bot) == []

    everything = [each.id async for each in bot.entitlements()]
    active = [each.id async for each in bot.entitlements(exclude_ended=True)]
    assert (everything, active) == ([int(bought.id)], [])


async def test_entitlement_with_end_expires_without_event(
    server: DiscordServer, bot: FixtureBot, plus: Sku, clock: Clock
) -> None:
    buy(server, plus).ends_at = clock() + DAY
    assert await owned(server, bot) == [int(plus.id)]
    clock.advance(DAY)
    assert await owned(server, bot) == []


async def test_refund_deletes_entitlement(server: DiscordServer, bot: FixtureBot, plus: Sku) -> None:
    bought = buy(server, plus)
    deleted = bot.wait_for("entitlement_delete", timeout=PATIENCE)
    server.store.refund(bought)
    seen = await deleted
    assert (seen.id, seen.deleted) == (int(bought.id), True)
    assert await owned(server, bot) == []
    assert [each async for each in bot.entitlements()] == []
    # discord.py's own listing drops the parameter.
    listed = await bot.http.get_entitlements(server.world.application.id, exclude_deleted=False)
    assert [each["id"] for each in listed] == [bought.id]


async def test_consumable_is_consumed_once_and_bought_again(server: DiscordServer, bot: FixtureBot, pack: Sku) -> None:
    first = buy(server, pack)
    with pytest.raises(ClientRefusal):
        buy(server, pack)
    updated = bot.wait_for("entitlement_update", timeout=PATIENCE)
    found = await bot.fetch_entitlement(int(first.id))
    await found.consume()
    await found.consume()
    assert (await updated).consumed
    second = buy(server, pack)

    listed = [(each.id, each.consumed) async for each in bot.entitlements()]
    assert listed == [(int(first.id), True), (int(second.id), False)]


async def test_entitlements_are_filtered_and_paged(
    server: DiscordServer, bot: FixtureBot, plus: Sku, pack: Sku
) -> None:
    mine = [buy(server, sku) for sku in (plus, pack)]
    other = buy(server, plus, "moderator")

    async def ids(**query: Any) -> list[str]:
        return [str(each.id) async for each in bot.entitlements(**query)]

    member = discord.Object(server.world.user("member").id)
    assert await ids(user=member) == [each.id for each in mine]
    assert await ids(skus=[discord.Object(plus.id)]) == [mine[0].id, other.id]
    assert await ids(after=discord.Object(mine[0].id)) == [mine[1].id, other.id]
    assert await ids(before=discord.Object(other.id), limit=1) == [mine[1].id]


@pytest.mark.parametrize("kind", [discord.EntitlementOwnerType.user, discord.EntitlementOwnerType.guild])
async def test_test_entitlement_is_made_and_deleted(
    server: DiscordServer, bot: FixtureBot, plus: Sku, kind: discord.EntitlementOwnerType
) -> None:
    world = server.world
    of_user = kind is discord.EntitlementOwnerType.user
    owner = world.user("member").id if of_user else world.guild("Community").id
    created = bot.wait_for("entitlement_create", timeout=PATIENCE)
    await bot.create_entitlement(discord.Object(plus.id), discord.Object(owner), kind)
    seen = await created
    assert (seen.starts_at, seen.ends_at) == (None, None)
    assert str(seen.user_id if of_user else seen.guild_id) == owner
    assert await owned(server, bot) == [int(plus.id)]

    deleted = bot.wait_for("entitlement_delete", timeout=PATIENCE)
    await seen.delete()
    await deleted
    assert await owned(server, bot) == []


async def test_purchase_in_test_mode_is_marked(server: DiscordServer, bot: FixtureBot, pack: Sku) -> None:
    created = bot.wait_for("entitlement_create", timeout=PATIENCE)
    for _ in range(2):
        server.store.buy(server.world.user("owner"), pack, test_mode=True)
    assert (await created).type is discord.EntitlementType.test_mode_purchase


Ask = Callable[[FixtureBot, DiscordServer, Sku], Awaitable[Any]]


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda bot, _, __: bot.fetch_entitlement(1), 10029),
        (lambda bot, server, sku: bot.http.delete_entitlement(bot.application_id, buy(server, sku).id), 10029),
        (lambda bot, server, sku: bot.http.consume_entitlement(bot.application_id, buy(server, sku).id), 50035),
        (lambda bot, _, sku: bot.http.create_entitlement(bot.application_id, sku.id, "1", 1), 10004),
        (lambda bot, _, sku: bot.http.create_entitlement(bot.application_id, sku.id, "1", 2), 10013),
        (lambda bot, _, __: bot.http.create_entitlement(bot.application_id, "1", "1", 2), 10027),
        (lambda bot, _, sku: bot.http.create_entitlement(bot.application_id, sku.id, "1", 3), 50035),
        (lambda bot, _, __: bot.http.get_skus(1), 20012),
    ],
    ids=["unknown", "no-test", "durable", "no-guild", "no-user", "no-sku", "no-type", "foreign"],
)
async def test_impossible_request_has_code_of_discord(
    server: DiscordServer, bot: FixtureBot, plus: Sku, ask: Ask, code: int
) -> None:
    with pytest.raises(discord.HTTPException) as failed:
        await ask(bot, server, plus)
    assert failed.value.code == code
