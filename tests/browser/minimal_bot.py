"""The page with a small bot of the tests instead of the product, so that every kind of answer can be tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import pytest
import yarl
from playwright.async_api import Browser

from sandbox.discord import DiscordServer, World, default_world
from sandbox.web import Page
from tests.browser.page_driver import SLOWEST, PageDriver
from tests.sandbox.discord.conftest import running
from tests.sandbox.discord.fixture_bot import TOKEN, FixtureBot


def small_world() -> World:
    """Return the community that the small bots know the token of."""
    world = default_world(token=TOKEN)
    world.acknowledge_within = SLOWEST / 1000
    return world


@asynccontextmanager
async def visiting(
    chromium: Browser,
    bot: FixtureBot,
    monkeypatch: pytest.MonkeyPatch,
    *,
    world: World | None = None,
    width: int = 1280,
) -> AsyncIterator[tuple[PageDriver, DiscordServer]]:
    """Keep a member before a page whose bot is this one."""
    server = DiscordServer(world or small_world())
    page = Page(server)
    page.mount()
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
    monkeypatch.setattr(discord.Asset, "BASE", server.cdn_url)
    try:
        async with running(server, bot):
            await server.wait_commands()
            visitor = await PageDriver.open(chromium, page.url, width=width)
            yield visitor, server
            await visitor.close()
    finally:
        await server.close()
