"""The page with a small bot of the tests instead of the product, so that every kind of answer can be tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import pytest
import yarl
from playwright.async_api import Browser

from bot.sandbox.discord import DiscordServer, World, default_world
from bot.sandbox.page import Page
from tests.browser.visitor import SLOWEST, Visitor
from tests.sandbox.discord.conftest import running
from tests.sandbox.discord.painter import TOKEN, Painter


def small_world() -> World:
    """Return the community that the small bots know the token of."""
    world = default_world(token=TOKEN)
    world.acknowledge_within = SLOWEST / 1000
    return world


@asynccontextmanager
async def visiting(
    chromium: Browser, bot: Painter, monkeypatch: pytest.MonkeyPatch, *, world: World | None = None, width: int = 1280
) -> AsyncIterator[tuple[Visitor, DiscordServer]]:
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
            visitor = await Visitor.open(chromium, page.url, width=width)
            yield visitor, server
            await visitor.close()
    finally:
        await server.close()
