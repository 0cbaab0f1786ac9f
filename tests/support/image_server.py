"""A real HTTP server for images, like Discord's content network.

The test adds and removes its files.
"""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from tests.support.clock import START
from tests.support.fidelity import data_folder

PHOTOS: Final = data_folder() / "photos"
"""Real photos; not part of this repository, so only in a folder named by ATELIER_TEST_DATA."""


class ImageServer:
    """Serves files by name.

    `statuses` overrides the status of names. While `gate` is clear, no request is answered.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.taken: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.base = ""

    def put(self, name: str, content: bytes, *, until: datetime = START + timedelta(days=1)) -> str:
        """Store a file and return its signed address."""
        self.files[name] = content
        return f"{self.base}/attachments/1/2/{name}?ex={int(until.timestamp()):x}&is=0&hm=0&"

    async def _serve(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.taken.append(name)
        await self.gate.wait()
        status = self.statuses.get(name, 200 if name in self.files else 404)
        return web.Response(status=status, body=self.files.get(name, b"") if status == 200 else b"")


@asynccontextmanager
async def image_server() -> AsyncIterator[ImageServer]:
    """Run a server without files."""
    images = ImageServer()
    app = web.Application()
    app.router.add_get("/attachments/1/2/{name}", images._serve)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(shutdown_timeout=0)
    images.base = f"http://127.0.0.1:{server.port}"
    try:
        yield images
    finally:
        images.gate.set()
        await server.close()


def drawn(file_format: str = "PNG", size: tuple[int, int] = (96, 64), **options: Any) -> bytes:
    """Return a small image file: a gradient with four distinct sides."""
    image = Image.linear_gradient("L").resize(size)
    out = BytesIO()
    Image.merge("RGB", (image, image.transpose(Image.Transpose.ROTATE_180), Image.new("L", size, 40))).save(
        out, file_format, **options
    )
    return out.getvalue()


def lying(content: bytes, orientation: int) -> bytes:
    """Return an image as a rotated phone writes it.

    The pixels are unrotated and the orientation tag says how to turn them. From an `orientation` of 5 on, the visible
    height is the pixels' width.
    """
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = BytesIO()
    with Image.open(BytesIO(content)) as image:
        image.convert("RGB").save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


def animated(file_format: str = "GIF") -> bytes:
    """Return an animation; only its first frame is red."""
    frames = [Image.new("RGB", (48, 32), colour) for colour in ("red", "blue", "green")]
    out = BytesIO()
    frames[0].save(out, file_format, save_all=True, append_images=frames[1:], duration=40)
    return out.getvalue()


@functools.cache
def bomb(side: int = 20_000) -> bytes:
    """Return a few kilobytes of hundreds of megabytes once decoded."""
    out = BytesIO()
    Image.new("1", (side, side)).save(out, "PNG")
    return out.getvalue()


def a_photo(name: str = "chelsea.png") -> bytes:
    """Return a real photo's file; skip the test if it is missing."""
    path = PHOTOS / name
    if not path.is_file():
        pytest.skip("no photos: set ATELIER_TEST_DATA to a folder with photos/chelsea.png and others")
    return path.read_bytes()
