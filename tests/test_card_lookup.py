"""Look-up of a card while Discord limits it."""

import asyncio

import discord
import pytest

from bot.client import AtelierClient
from bot.ui.delivery.job_messages import JobMessages
from sandbox.discord import DiscordServer, default_world
from tests.support.clock import ManualClock
from tests.support.factories import make_context, make_job

TOKEN = "the-bots-token"
PATIENCE = 60


async def test_limited_look_up_ends_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would sleep through the limit, and the job's step with it."""
    server = DiscordServer(default_world(token=TOKEN))
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    server.faults.add("GET", "/webhooks/", status=429, retry_after=1200, times=10)
    clock = ManualClock()
    job = make_job(place=make_context(token="secret"), created_at=clock.now())
    async with AtelierClient() as client:
        await client.login(TOKEN)
        async with asyncio.timeout(PATIENCE):
            found = await JobMessages(client=client, clock=clock).find(job)
    await server.close()
    assert found is None
