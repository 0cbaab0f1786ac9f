"""Run the product with the settings of the environment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import discord
import structlog
from sqlalchemy import make_url

from bot.container.product import Container
from bot.engine.clock import Clock
from bot.factories import (
    provider_connections,
)
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


async def run(settings: Settings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Run the bot until `stop` is set. Raises if a start is impossible."""
    if settings.discord_token is None:
        raise ValueError("DISCORD_TOKEN is not set")
    async with AsyncExitStack() as stack:
        file = make_url(settings.database_address)
        if file.get_backend_name() == "sqlite":
            stack.enter_context(hold_process_lock(Path(str(file.database))))
        set_discord_api(settings.discord_api_url)
        database = await stack.enter_async_context(open_database(settings))
        applied = await migrate(database)
        if applied:
            _log.info("database.migrated", revisions=applied)
        http = await stack.enter_async_context(provider_client(max_connections=provider_connections(settings)))
        container = Container(settings, database=database, http=http, clock=clock)
        stack.push_async_callback(container.close)
        await container.install()
        await asyncio.to_thread(read_catalogues)
        await container.lifecycle.serve(settings.discord_token, stop)
