"""The pictures that a task edits: fetched from their addresses when the task starts, and checked to be pictures.

Nothing leaves this machine: an address elsewhere counts as one that cannot be reached.
"""

import asyncio
import hashlib
import io
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from PIL import Image, ImageOps

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_MOST_BYTES: Final = 40 * 1024 * 1024
_MOST_PIXELS: Final = 33_554_432
_SECONDS: Final = 10.0
_KEPT_SIDE: Final = 1024
_AT_A_TIME: Final = 2  # pictures that are decoded at the same time


class InputError(Exception):
    """An input of a task that cannot be used; the text is what the task fails with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input as it was fetched: `sha256` is of all its `length` bytes, `width` and `height` are as a person sees it.

    `picture` is what is kept of it to draw with: an upright copy, small and encoded.
    """

    url: str
    sha256: str
    length: int
    format: str
    width: int
    height: int
    picture: bytes = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return what was fetched, without its address (which may hold a secret) and its pixels."""
        return {name: getattr(self, name) for name in ("sha256", "length", "format", "width", "height")}


class Inputs:
    """Fetches the inputs of tasks, each address once."""

    def __init__(self) -> None:
        self._decoders = asyncio.Semaphore(_AT_A_TIME)
        self._session: aiohttp.ClientSession | None = None

    async def load(self, urls: tuple[str, ...]) -> tuple[Input, ...]:
        """Return the pictures at these addresses, in their order. Raises `InputError` for the first unusable one."""
        loaded = await asyncio.gather(
            *(self._load(url, f"image_urls[{at}]") for at, url in enumerate(urls)), return_exceptions=True
        )
        inputs = []
        for each in loaded:
            if isinstance(each, BaseException):
                raise each
            inputs.append(each)
        return tuple(inputs)

    async def close(self) -> None:
        """Fetch nothing more."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _load(self, url: str, name: str) -> Input:
        try:
            async with asyncio.timeout(_SECONDS):
                content = await self._fetched(url)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise InputError(f"Failed to download {name}") from error
        if len(content) > _MOST_BYTES:
            raise InputError(f"{name} is larger than {_MOST_BYTES // 1024**2} MB")
        async with self._decoders:
            try:
                return await asyncio.to_thread(_decoded, url, content)
            except InputError as error:
                raise InputError(f"{name} {error}") from error
            except Exception as error:  # Pillow has no common error for what is broken
                raise InputError(f"{name} is not a supported image") from error

    async def _fetched(self, url: str) -> bytes:
        """Return what is at an address, or its first bytes if there are too many."""
        if not is_here(urlsplit(url).hostname or ""):
            raise ValueError("the stand-in reaches nothing but this machine")
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        content = bytearray()
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:  # noqa: PLR2004
                raise ValueError(f"HTTP {answer.status}")
            async for chunk in answer.content.iter_chunked(65_536):
                content += chunk
                if len(content) > _MOST_BYTES:
                    break
        return bytes(content)


def is_here(host: str) -> bool:
    """Tell whether a host is this machine, by its name or address alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _decoded(url: str, content: bytes) -> Input:
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        if opened.width * opened.height > _MOST_PIXELS:
            raise InputError("has too many pixels")
        format_ = (opened.format or "").lower()
        opened.load()
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    width, height = upright.size
    upright.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
    kept = Image.new("RGB", upright.size, "white")
    kept.paste(upright, mask=upright.getchannel("A"))
    file = io.BytesIO()
    kept.save(file, "PNG", compress_level=1)
    return Input(
        url=url,
        sha256=hashlib.sha256(content).hexdigest(),
        length=len(content),
        format=format_,
        width=width,
        height=height,
        picture=file.getvalue(),
    )
