"""Run the product with the settings of the environment."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import discord
import httpx
import structlog
from sqlalchemy import make_url

from bot.client import open_http
from bot.command_sync import CommandChanges, CommandSync
from bot.container.engine import EngineContainer
from bot.container.product import Container
from bot.engine.clock import Clock
from bot.engine.restored_jobs import EndedJobs
from bot.factories import provider_connections
from bot.providers.transport import provider_client
from bot.settings import Settings
from bot.ui.i18n import read_catalogues
from db.database import Database
from db.migrate import migrate
from db.process_lock import hold_process_lock

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database of the settings, and close it at the end."""
    database = await Database.open(settings.database_address)
    try:
        yield database
    finally:
        await database.close()


def set_discord_api(api_url: str) -> None:
    """Make discord.py use this REST address.

    The library only has a global one.
    """
    discord.http.Route.BASE = api_url


async def run(
    settings: Settings, stop: asyncio.Event, clock: Clock | None = None, hurry: asyncio.Event | None = None
) -> None:
    """Run the bot until `stop` is set. Raises if a start is impossible.

    `hurry` ends the wait of a stop for the providers' open calls.
    """
    if settings.discord_token is None:
        raise ValueError("DISCORD_TOKEN is not set")
    async with AsyncExitStack() as stack:
        file = make_url(settings.database_address)
        if file.get_backend_name() == "sqlite":
            stack.enter_context(hold_process_lock(Path(str(file.database))))
        set_discord_api(settings.discord_api_url)
        if settings.proxies.address is not None:
            _log.info("app.uses_proxy", proxy=settings.proxies.address, not_for=settings.no_proxy)
        database = await stack.enter_async_context(open_database(settings))
        applied = await migrate(database)
        if applied:
            _log.info("database.migrated", revisions=applied)
        # One for all clients: reading the certificates takes 30 ms.
        verify = httpx.create_ssl_context(trust_env=False)
        http = await stack.enter_async_context(
            provider_client(max_connections=provider_connections(settings), verify=verify, proxies=settings.proxies)
        )
        if settings.openrouter_list is not None:  # before the catalogue is built, which no later answer changes
            await settings.openrouter_list.refresh(settings.api_url_of("openrouter"), http)
        container = Container(settings, database=database, http=http, clock=clock, verify=verify)
        stack.push_async_callback(container.close)
        await asyncio.to_thread(container.load_secret_key)
        await container.install()
        await asyncio.to_thread(read_catalogues)
        await container.lifecycle.serve(settings.discord_token, stop, hurry)


async def end_restored_jobs(settings: Settings, database: Database, now: datetime) -> EndedJobs:
    """End the live jobs of a restored database."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(provider_client())
        container = EngineContainer(settings, database=database, http=http)
        stack.push_async_callback(container.close)
        return await container.restored_jobs.end_all(now)


async def command_payload(settings: Settings) -> list[dict[str, Any]]:
    """Return the bot's commands with these settings."""
    async with AsyncExitStack() as stack:
        # The commands depend on the settings alone, but the parts behind them need some database.
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = await Database.open(f"sqlite+aiosqlite:///{folder}/unused.db")
        stack.push_async_callback(database.close)
        http = await stack.enter_async_context(provider_client())
        await asyncio.to_thread(read_catalogues)
        container = Container(settings, database=database, http=http)
        await container.install()
        await container.client.prepare_commands()
        return await container.client.command_payload()


async def sync_commands(settings: Settings) -> CommandChanges:
    """Send the commands to Discord; return the differences to before.

    Raises:
        discord.DiscordException: Discord refuses, or asks for a long pause.
        aiohttp.ClientError: Discord cannot be reached.
    """
    if settings.discord_token is None:
        raise ValueError("DISCORD_TOKEN is not set")
    set_discord_api(settings.discord_api_url)

    async def payload() -> list[dict[str, Any]]:
        return await command_payload(settings)

    proxy = settings.proxies.find(settings.discord_api_url)
    async with open_http(settings.discord_token.get_secret_value(), proxy=proxy) as http:
        return await CommandSync(payload=payload).sync(http, force=True)
