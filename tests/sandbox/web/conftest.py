"""The page on a stand-in for Discord, a bot that is connected to it, and browser tabs over real sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import discord
import pytest
import yarl

from sandbox.discord import DiscordServer, default_world
from sandbox.providers import MANUAL, Reve2ImgServer, SkillBossServer
from sandbox.web import Page
from tests.sandbox.discord.conftest import running
from tests.sandbox.discord.fixture_bot import PATIENCE, TOKEN, Clock, FixtureBot
from tests.sandbox.web.ws_client import Process, WsClient

OpenTab = Callable[..., Awaitable[WsClient]]


@pytest.fixture
def discord_server() -> DiscordServer:
    """Give a stand-in that does not listen yet."""
    server = DiscordServer(default_world(token=TOKEN, now=Clock()))
    server.world.acknowledge_within = PATIENCE
    return server


@pytest.fixture
def providers() -> dict[str, SkillBossServer | Reve2ImgServer]:
    """Give the image APIs; they need not listen for what is tried here."""
    return {"skillboss": SkillBossServer(latency=MANUAL), "reve2img": Reve2ImgServer(latency=MANUAL)}


@pytest.fixture
def process() -> Process:
    """Give a process of the bot that only notes what is asked of it."""
    return Process()


@pytest.fixture
async def page(
    discord_server: DiscordServer,
    providers: dict[str, SkillBossServer | Reve2ImgServer],
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Page]:
    """Give the page, served."""
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
    """Give a connected bot with its commands registered."""
    del page
    async with running(discord_server, FixtureBot()) as painter:
        await discord_server.wait_commands()
        yield painter


@pytest.fixture
async def browser(page: Page) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a browser that has opened the printed address."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(page.url) as answer:
            assert answer.status == 200
        yield session


@pytest.fixture
async def open_tab(page: Page, discord_server: DiscordServer, browser: aiohttp.ClientSession) -> AsyncIterator[OpenTab]:
    """Give a function that opens a tab as a person, in a channel."""
    del page
    async with AsyncExitStack() as stack:

        async def opened(who: str = "member", channel: str = "general") -> WsClient:
            socket = await stack.enter_async_context(
                browser.ws_connect(
                    f"{discord_server.base_url}/sandbox/page/socket", headers={"Origin": discord_server.base_url}
                )
            )
            tab = WsClient(socket, browser, discord_server.base_url)
            stack.push_async_callback(tab.close)
            tab.world = await tab.ask("be", who=who)
            await tab.open(channel)
            return tab

        yield opened
