"""What the engine's tests of pictures to start from share."""

from collections.abc import AsyncIterator

import pytest

from sandbox.providers import MANUAL, Reve2ImgServer
from tests.support.image_server import ImageServer, image_server


@pytest.fixture
async def shelf() -> AsyncIterator[ImageServer]:
    """Return where members' pictures lie."""
    async with image_server() as shelf:
        yield shelf


@pytest.fixture
async def reve2img() -> AsyncIterator[Reve2ImgServer]:
    """Return the provider that edits pictures; its jobs move by hand."""
    server = Reve2ImgServer(key="key", latency=MANUAL)
    await server.start()
    yield server
    await server.close()
