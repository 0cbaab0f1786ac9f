"""Image files, and types of their servers, for these tests."""

import random
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


def noise(mode: str = "RGB", size: tuple[int, int] = (64, 48), seed: int = 1) -> Image.Image:
    """Return an image of random noise, reproducible by its seed.

    No format compresses it well.
    """
    width, height = size
    data = random.Random(seed).randbytes(width * height * len(Image.new(mode, (1, 1)).getbands()))  # noqa: S311 - noise, not a secret
    return Image.frombytes(mode, size, data)


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """Return the image as the bytes of a file."""
    out = BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def files_in(folder: Path) -> list[Path]:
    """Return all files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
