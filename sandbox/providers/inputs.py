"""Input images of a task: fetched at the task's start and validated.

Nothing leaves this machine: an address elsewhere counts as unreachable.
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
_MAX_BYTES: Final = 40 * 1024 * 1024
_MAX_PIXELS: Final = 33_554_432
_DOWNLOAD_SECONDS: Final = 10.0
_KEPT_SIDE_PIXELS: Final = 1024
_MAX_DECODERS: Final = 2  # concurrent decodings


class InputError(Exception):
    """An unusable input; its text becomes the task's error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A fetched input; `sha256` covers all its `length` bytes.

    `width` and `height` are those of the upright image. `picture` is a small encoded upright copy to draw with.
    """

    url: str
    sha256: str
    length: int
    format: str
    width: int
    height: int
    picture: bytes = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the input without its pixels and its address (may hold a secret)."""
        return {name: getattr(self, name) for name in ("sha256", "length", "format", "width", "height")}


class InputDownloader:
    """Downloads the inputs of tasks, each address once."""

    def __init__(self) -> None:
        self._decoders = asyncio.Semaphore(_MAX_DECODERS)
        self._session: aiohttp.ClientSession | None = None

    async def load(self, urls: tuple[str, ...]) -> tuple[Input, ...]:
        """Return the images at these addresses, in their order.

        Raises:
            InputError: An image is unusable; the first one is named.
        """
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
        """Close the client session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _load(self, url: str, name: str) -> Input:
        try:
            async with asyncio.timeout(_DOWNLOAD_SECONDS):
                content = await self._download(url)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise InputError(f"Failed to download {name}") from error
        if len(content) > _MAX_BYTES:
            raise InputError(f"{name} is larger than {_MAX_BYTES // 1024**2} MB")
        return await self.decode(content, name, url=url)

    async def decode(self, content: bytes, name: str, *, url: str = "") -> Input:
        """Return the image of some bytes; `name` is for the error.

        Raises:
            InputError: The bytes are no supported image.
        """
        async with self._decoders:
            try:
                return await asyncio.to_thread(_decode, url, content)
            except InputError as error:
                raise InputError(f"{name} {error}") from error
            except Exception as error:  # Pillow has no common error for broken images
                raise InputError(f"{name} is not a supported image") from error

    async def _download(self, url: str) -> bytes:
        """Return the content of an address, or its first bytes if too large."""
        if not is_loopback_host(urlsplit(url).hostname or ""):
            raise ValueError("the fake reaches only this machine")
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        content = bytearray()
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:  # noqa: PLR2004 - HTTP
                raise ValueError(f"HTTP {answer.status}")
            async for chunk in answer.content.iter_chunked(65_536):
                content += chunk
                if len(content) > _MAX_BYTES:
                    break
        return bytes(content)


def is_loopback_host(host: str) -> bool:
    """Return whether a host is this machine, by name or address alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _decode(url: str, content: bytes) -> Input:
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            raise InputError("has too many pixels")
        format_ = (opened.format or "").lower()
        opened.load()
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    width, height = upright.size
    upright.thumbnail((_KEPT_SIDE_PIXELS, _KEPT_SIDE_PIXELS))
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
