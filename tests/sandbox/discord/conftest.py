"""A fake Discord with a connected discord.py client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import discord
import pytest
import yarl

from sandbox.discord import DiscordServer, default_world
from tests.sandbox.discord.fixture_bot import PATIENCE, TOKEN, Clock, FixtureBot

Connect = Callable[[DiscordServer, FixtureBot], Awaitable[FixtureBot]]


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the world."""
    return Clock()


@pytest.fixture
async def server(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    """Return a running fake with discord.py connected to it."""
    server = DiscordServer(default_world(token=TOKEN, now=clock))
    server.world.acknowledge_within = PATIENCE
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
    monkeypatch.setattr(discord.Asset, "BASE", server.cdn_url)
    yield server
    await server.close()


@asynccontextmanager
async def running(server: DiscordServer, fixture_bot: FixtureBot) -> AsyncIterator[FixtureBot]:
    """Keep a bot connected."""
    async with fixture_bot:
        task = asyncio.create_task(fixture_bot.start(TOKEN))
        ready = asyncio.create_task(server.wait_ready())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            task.result()
        await fixture_bot.wait_until_ready()
        yield fixture_bot
    await task


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return a function to connect a bot for the rest of the test."""
    async with AsyncExitStack() as stack:

        async def connected(server: DiscordServer, fixture_bot: FixtureBot) -> FixtureBot:
            return await stack.enter_async_context(running(server, fixture_bot))

        yield connected


@pytest.fixture
async def bot(server: DiscordServer, connect: Connect) -> FixtureBot:
    """Give the connected bot."""
    return await connect(server, FixtureBot())
