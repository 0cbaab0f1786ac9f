"""A stand-in for Discord, and a real discord.py client that is connected to it."""

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
    """Give a running stand-in that discord.py takes for Discord."""
    server = DiscordServer(default_world(token=TOKEN, now=clock))
    server.world.acknowledge_within = PATIENCE
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
    monkeypatch.setattr(discord.Asset, "BASE", server.cdn_url)
    yield server
    await server.close()


@asynccontextmanager
async def running(server: DiscordServer, painter: FixtureBot) -> AsyncIterator[FixtureBot]:
    """Keep a bot connected."""
    async with painter:
        task = asyncio.create_task(painter.start(TOKEN))
        ready = asyncio.create_task(server.wait_ready())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            task.result()
        await painter.wait_until_ready()
        yield painter
    await task


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Give a function that connects a bot for the rest of the test."""
    async with AsyncExitStack() as stack:

        async def connected(server: DiscordServer, painter: FixtureBot) -> FixtureBot:
            return await stack.enter_async_context(running(server, painter))

        yield connected


@pytest.fixture
async def bot(server: DiscordServer, connect: Connect) -> FixtureBot:
    """Give the connected bot."""
    return await connect(server, FixtureBot())
