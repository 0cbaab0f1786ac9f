"""The page with a small test bot in place of the product."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import pytest
import yarl
from playwright.async_api import Browser

from sandbox.discord import DiscordServer, World, default_world
from sandbox.web import Page
from tests.browser.page_driver import TIMEOUT_MILLISECONDS, PageDriver
from tests.sandbox.discord.conftest import running
from tests.sandbox.discord.fixture_bot import TOKEN, FixtureBot


def minimal_world() -> World:
    """Return a world with the test bot's token."""
    world = default_world(token=TOKEN)
    world.acknowledge_within = TIMEOUT_MILLISECONDS / 1000
    return world


@asynccontextmanager
async def open_with_bot(
    chromium: Browser,
    bot: FixtureBot,
    monkeypatch: pytest.MonkeyPatch,
    *,
    world: World | None = None,
    width: int = 1280,
) -> AsyncIterator[tuple[PageDriver, DiscordServer]]:
    """Run the test bot and open the page as the member."""
    server = DiscordServer(world or minimal_world())
    page = Page(server)
    page.mount()
    await server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
    monkeypatch.setattr(discord.Asset, "BASE", server.cdn_url)
    try:
        async with running(server, bot):
            await server.wait_commands()
            driver = await PageDriver.open(chromium, page.url, width=width)
            yield driver, server
            await driver.close()
    finally:
        await server.close()
