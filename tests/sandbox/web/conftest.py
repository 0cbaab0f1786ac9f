"""Fixtures: the page on a fake Discord, a connected bot, and browser tabs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import discord
import pytest
import yarl

from sandbox.discord import DiscordServer, default_world
from sandbox.image_apis import ImageApis
from sandbox.providers import MANUAL, ImageApiServer
from sandbox.web import Page
from tests.sandbox.discord.conftest import running
from tests.sandbox.discord.fixture_bot import PATIENCE, TOKEN, Clock, FixtureBot
from tests.sandbox.web.ws_client import FakeBotProcess, WsClient

OpenClient = Callable[..., Awaitable[WsClient]]


@pytest.fixture
def discord_server() -> DiscordServer:
    """Return a fake Discord before its start."""
    server = DiscordServer(default_world(token=TOKEN, now=Clock()))
    server.world.acknowledge_within = PATIENCE
    return server


@pytest.fixture
def providers() -> dict[str, ImageApiServer]:
    """Return the image APIs, not listening."""
    servers = ImageApis().servers
    for server in servers.values():
        server.latency = MANUAL
    return servers


@pytest.fixture
def process() -> FakeBotProcess:
    """Return a fake process of the bot to record calls."""
    return FakeBotProcess()


@pytest.fixture
async def page(
    discord_server: DiscordServer,
    providers: dict[str, ImageApiServer],
    process: FakeBotProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Page]:
    """Yield the served page."""
    page = Page(discord_server, providers=providers, bot=process, ledger=process.ledger)
    page.mount()
    await discord_server.start()
    monkeypatch.setattr(discord.http.Route, "BASE", discord_server.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(discord_server.gateway_url))
    monkeypatch.setattr(discord.Asset, "BASE", discord_server.cdn_url)
    yield page
    await discord_server.close()


@pytest.fixture
async def bot(page: Page, discord_server: DiscordServer) -> AsyncIterator[FixtureBot]:
    """Yield a connected bot with its commands registered."""
    del page
    async with running(discord_server, FixtureBot()) as painter:
        await discord_server.wait_commands()
        yield painter


@pytest.fixture
async def browser(page: Page) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a browser session with the page's cookie."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(page.url) as answer:
            assert answer.status == 200
        yield session


@pytest.fixture
async def open_client(
    page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession
) -> AsyncIterator[OpenClient]:
    """Yield a function to open a tab as a user, in a channel."""
    del page
    async with AsyncExitStack() as stack:

        async def opened(who: str = "member", channel: str = "general") -> WsClient:
            socket = await stack.enter_async_context(
                browser.ws_connect(
                    f"{discord_server.base_url}/sandbox/page/socket", headers={"Origin": discord_server.base_url}
                )
            )
            client = WsClient(socket, browser, discord_server.base_url)
            stack.push_async_callback(client.close)
            client.world = await client.ask("be", who=who)
            await client.open(channel)
            return client

        yield opened
