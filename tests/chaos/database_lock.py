"""A lock on the bot's database that lets it read, and write nothing."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

_SQLITE = "sqlite+aiosqlite:///"


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator[None]:
    """Let no other connection record a call inside this context."""
    if database_url.startswith(_SQLITE):
        path = database_url.removeprefix(_SQLITE)
        connection = await asyncio.to_thread(sqlite3.connect, path, isolation_level=None, check_same_thread=False)
        with contextlib.closing(connection):
            await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
            yield
        return
    client = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        async with client.transaction():
            await client.execute("LOCK TABLE attempts IN EXCLUSIVE MODE")
            yield
    finally:
        await client.close()
