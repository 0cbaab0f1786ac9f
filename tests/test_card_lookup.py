"""Requests about a job's messages while Discord limits them."""

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest

from bot.client import AtelierClient
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.job_messages import JobMessages
from sandbox.discord import DiscordServer, default_world
from tests.support.clock import ManualClock
from tests.support.factories import make_context, make_job

TOKEN = "the-bots-token"
PATIENCE = 60
JOB = make_job(place=make_context(token="secret"))


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    """Yield Discord."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    yield server
    await server.close()


@pytest.fixture
async def messages(server: DiscordServer) -> AsyncIterator[JobMessages]:
    """Yield messages of a connected client."""
    del server
    async with AtelierClient() as client:
        await client.login(TOKEN)
        yield JobMessages(client=client, clock=ManualClock())


async def test_limited_look_up_ends_without_an_answer(server: DiscordServer, messages: JobMessages) -> None:
    """The library would sleep through the limit, and the job's step with it."""
    server.faults.add("GET", "/webhooks/", status=429, retry_after=1200, times=10)
    async with asyncio.timeout(PATIENCE):
        assert await messages.find(JOB) is None


async def test_limited_removal_leaves_the_card_to_its_member(server: DiscordServer, messages: JobMessages) -> None:
    """A member waits for its answer."""
    server.faults.add("DELETE", "/webhooks/", status=429, retry_after=1200, times=10)
    async with asyncio.timeout(PATIENCE):
        assert not await messages.remove(JOB)


@pytest.mark.parametrize("route", ["/users/@me/channels", "/channels/"])
async def test_limit_of_direct_messages_holds_up_no_channel(
    server: DiscordServer, messages: JobMessages, route: str
) -> None:
    member = server.world.user("member").id
    job = make_job(place=make_context(member_id=member))
    server.faults.add("POST", route, status=429, retry_after=1200, times=10)
    with pytest.raises(RateLimitError) as caught:
        async with asyncio.timeout(PATIENCE):
            await messages.send_direct(job, discord.ui.LayoutView(), None)
    assert (caught.value.retry_after, caught.value.in_channel) == (1200.0, False)
