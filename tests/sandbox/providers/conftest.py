"""Fixtures: both API fakes with manual jobs, and a plain client."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.providers import MANUAL, Reve2ImgServer, SkillBossServer
from tests.sandbox.providers.support import Api, ImageServer


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def skillboss(session: aiohttp.ClientSession) -> AsyncIterator[Api[SkillBossServer]]:
    """Yield the fake of SkillBoss."""
    server = SkillBossServer(key="key-a", other_keys=("key-b",), latency=MANUAL)
    await server.start()
    yield Api(server, session)
    await server.close()


@pytest.fixture
async def reve2img(session: aiohttp.ClientSession) -> AsyncIterator[Api[Reve2ImgServer]]:
    """Yield the fake of reve2img."""
    server = Reve2ImgServer(key="key-a", latency=MANUAL)
    await server.start()
    yield Api(server, session)
    await server.close()


@pytest.fixture
async def image_server() -> AsyncIterator[ImageServer]:
    """Yield a server of images to edit."""
    image_server = ImageServer()
    await image_server.start()
    yield image_server
    await image_server.close()
