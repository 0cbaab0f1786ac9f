"""Both stand-ins, with jobs that are moved by hand, and a plain client to talk to them."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.providers import MANUAL, Reve2ImgServer, SkillBossServer
from tests.sandbox.providers.support import Api, ImageServer


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client without any of the product's care."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def skillboss(session: aiohttp.ClientSession) -> AsyncIterator[Api[SkillBossServer]]:
    """Return the stand-in for SkillBoss."""
    server = SkillBossServer(key="key-a", other_keys=("key-b",), latency=MANUAL)
    await server.start()
    yield Api(server, session)
    await server.close()


@pytest.fixture
async def reve2img(session: aiohttp.ClientSession) -> AsyncIterator[Api[Reve2ImgServer]]:
    """Return the stand-in for reve2img."""
    server = Reve2ImgServer(key="key-a", latency=MANUAL)
    await server.start()
    yield Api(server, session)
    await server.close()


@pytest.fixture
async def shelf() -> AsyncIterator[ImageServer]:
    """Return a place for the pictures that are to be edited."""
    shelf = ImageServer()
    await shelf.start()
    yield shelf
    await shelf.close()
