"""Alerts to every member of the owning team."""

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal

import discord
import pytest

from bot.client import AtelierClient
from bot.domain.costs import Currency, ProviderBalance
from bot.domain.credits import Budget
from bot.services.budget_alerts import BudgetAlert
from bot.ui.delivery.log_channel_messages import LogChannelMessages
from bot.ui.delivery.owner_messages import OwnerMessages
from sandbox.discord import DiscordServer, default_world
from sandbox.discord.entities import TeamMember
from tests.support.catalogue import MODELS

TOKEN = "the-bots-token"
PATIENCE = 60
ALERT = BudgetAlert(budget=Budget(month="2026-03", limit=100, captured=80), percentage=80)


async def test_budget_alert_has_separate_nonce_for_each_team_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discord answers a repeated nonce of one author with its first message."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    world = server.world
    team = [world.user(name).id for name in ("owner", "member")]
    world.application.team = tuple(TeamMember(each, "developer") for each in team)
    async with AtelierClient() as client:
        await client.login(TOKEN)
        for _ in range(2):
            assert await OwnerMessages(client).send_budget_alert(ALERT)
    received = [list(world.direct_message(each).messages.values()) for each in team]
    await server.close()
    assert [len(messages) for messages in received] == [1, 1]
    assert received[0][0].nonce != received[1][0].nonce


@pytest.mark.parametrize(("method", "route"), [("GET", "/oauth2/applications/@me"), ("POST", "/users/@me/channels")])
async def test_limited_budget_alert_is_put_off(monkeypatch: pytest.MonkeyPatch, method: str, route: str) -> None:
    """Sleeping through the limit would keep the next alert out of the log."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    async with AtelierClient() as client:
        await client.login(TOKEN)
        server.faults.add(method, route, status=429, retry_after=1200, times=10)
        async with asyncio.timeout(PATIENCE):
            assert not await OwnerMessages(client).send_budget_alert(ALERT)
    await server.close()


async def test_budget_alert_goes_past_closed_direct_messages_and_not_to_invited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    world = server.world
    closed, taker = world.user("owner"), world.user("member")
    closed.takes_direct_messages = False
    team = tuple(TeamMember(each.id, "developer") for each in (closed, taker))
    async with AtelierClient() as client:
        await client.login(TOKEN)
        world.application.team = team
        reached = [await OwnerMessages(client).send_budget_alert(ALERT)]
        world.application.team = (team[0], TeamMember(taker.id, "developer", accepted=False))
        reached.append(await OwnerMessages(client).send_budget_alert(replace(ALERT, percentage=100)))
    received = list(world.direct_message(taker.id).messages.values())
    await server.close()
    assert reached == [True, False]
    assert len(received) == 1


async def test_server_alert_is_one_message_in_its_log_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    channel = next(iter(server.world.channels.values()))
    alert = replace(ALERT, guild_id=7)
    async with AtelierClient() as client:
        await client.login(TOKEN)
        notifier = LogChannelMessages(client)
        sent = [await notifier.send_budget_alert(int(channel.id), None, alert) for _ in range(2)]
        sent.append(await notifier.send_budget_alert(1, None, alert))
    (message,) = channel.messages.values()
    await server.close()
    assert sent == [True, True, False]
    assert message.content.splitlines() == [
        "**This server's studio has reached 80 % of its budget of 2026-03.**",
        "Budget this month: 20 of 100 left · 80 spent",
        "-# At 100 % no more pictures are made here until the month ends. `/studio budget` shows more.",
    ]


async def test_retirement_is_one_message_with_day_and_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    model = replace(MODELS[1], retires=date(2026, 12, 31))
    async with AtelierClient() as client:
        await client.login(TOKEN)
        for _ in range(2):
            assert await OwnerMessages(client).send_retirement(model)
    (message,) = server.world.direct_message(server.world.application.owner_id).messages.values()
    await server.close()
    assert message.content.splitlines() == [
        "**The model nano-banana retires on <t:1798675200:D>.**",
        (
            "-# From that day on nobody can choose it; if it is the default, the next model of `DEFAULT_MODEL` is."
            " `force = true` in `MODELS_FILE` keeps it on. Restart the bot that day."
        ),
    ]


async def test_closed_model_is_one_message_with_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    async with AtelierClient() as client:
        await client.login(TOKEN)
        for _ in range(2):
            assert await OwnerMessages(client).send_closed_model(MODELS[0], "nano-banana")
        assert await OwnerMessages(client).send_closed_model(MODELS[1], None)
    messages = list(server.world.direct_message(server.world.application.owner_id).messages.values())
    await server.close()
    assert [message.content.splitlines()[:2] for message in messages] == [
        [
            "**No provider serves the model reve-2.0 at present.**",
            "Who chooses it is refused; who chooses none gets nano-banana.",
        ],
        [
            "**No provider serves the model nano-banana at present.**",
            "Who chooses it is refused and offered other models.",
        ],
    ]


async def test_low_balance_is_one_message_a_day_with_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    balance = ProviderBalance(amount=Decimal("4.5"), currency=Currency.USD)
    async with AtelierClient() as client:
        await client.login(TOKEN)
        for day in ("2026-11-30", "2026-11-30", "2026-12-01"):
            assert await OwnerMessages(client).send_low_balance("bfl", balance, day)
    messages = list(server.world.direct_message(server.world.application.owner_id).messages.values())
    await server.close()
    assert [message.content.splitlines() for message in messages] == 2 * [
        [
            "**The balance at Black Forest Labs is low: $4.50 left.**",
            "-# Without money it makes no pictures. Top it up there. `LOW_BALANCE_USD` sets the limit.",
        ]
    ]
