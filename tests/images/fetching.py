"""A downloader for these tests, and checks of its answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from bot.domain.errors import ImageError, ImageProblem
from bot.images.download import ImageDownloader
from tests.images.samples import Handler, files_in

BODY = b"not really a picture, which is for others to say"
TLS = httpx.create_ssl_context(trust_env=False)


@asynccontextmanager
async def downloader(**options: Any) -> AsyncIterator[ImageDownloader]:
    """Yield a downloader without retries by default."""
    settings: dict[str, Any] = {"pauses": (), "verify": TLS} | options
    made = ImageDownloader(**settings)
    try:
        yield made
    finally:
        await made.close()


async def problem_of(url: str, folder: Path, **options: Any) -> ImageProblem:
    """Return the problem with `url`; expect no leftover file."""
    async with downloader(**options) as made:
        with pytest.raises(ImageError) as caught:
            await made.fetch(url, into=folder)
    assert files_in(folder) == []
    assert caught.value.__cause__ is None
    assert "127.0.0.1" not in str(caught.value)
    return caught.value.problem


def answering(response: Callable[[], web.StreamResponse]) -> Handler:
    """Return a handler with a new response for each request."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        return response()

    return handler


async def raw_server(answer: bytes) -> tuple[asyncio.Server, str]:
    """Answer every request with the same bytes, then close the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
