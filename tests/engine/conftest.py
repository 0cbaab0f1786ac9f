"""Fixtures of the engine's tests with input images."""

from collections.abc import AsyncIterator

import pytest

from sandbox.providers import MANUAL, Reve2ImgServer
from tests.support.image_server import ImageServer, image_server


@pytest.fixture
async def image_host() -> AsyncIterator[ImageServer]:
    """Return a server with members' images."""
    async with image_server() as image_host:
        yield image_host


@pytest.fixture
async def reve2img() -> AsyncIterator[Reve2ImgServer]:
    """Return a provider for edits; its jobs are moved by the test."""
    server = Reve2ImgServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()
