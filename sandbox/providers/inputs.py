"""Input images of a task: fetched at the task's start and validated.

Nothing leaves this machine: an address elsewhere counts as unreachable.
"""

import asyncio
import base64
import binascii
import hashlib
import io
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import pillow_heif
from PIL import Image, ImageOps

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_HEIF_BRANDS: Final = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheif")
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

    `width` and `height` are those of the upright image. `picture` is a small encoded upright copy to draw with,
    `alpha` that of its alpha channel; empty if it has none.
    """

    url: str
    sha256: str
    length: int
    format: str
    width: int
    height: int
    picture: bytes = field(repr=False)
    alpha: bytes = field(default=b"", repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the input without its pixels and its address (may hold a secret)."""
        return {name: getattr(self, name) for name in ("sha256", "length", "format", "width", "height")}


class InputDownloader:
    """Downloads the inputs of tasks, each address once.

    With `heif`, HEIC and HEIF files are read too.
    """

    def __init__(self, *, heif: bool = False) -> None:
        self._heif = heif
        self._decoders = asyncio.Semaphore(_MAX_DECODERS)
        self._session: aiohttp.ClientSession | None = None

    async def load(self, urls: tuple[str, ...]) -> tuple[Input, ...]:
        """Return the images at these addresses, in their order.

        Raises:
            InputError: An image is unusable; the first one is named.
        """
        loaded = await asyncio.gather(
            *(self.fetch(url, f"image_urls[{at}]") for at, url in enumerate(urls)), return_exceptions=True
        )
        inputs = []
        for each in loaded:
            if isinstance(each, BaseException):
                raise each
            inputs.append(each)
        return tuple(inputs)

    async def fetch(self, url: str, name: str) -> Input:
        """Return the image at an address; `name` is for the error.

        Raises:
            InputError: The address is unreachable, or has no supported image.
        """
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
                return await asyncio.to_thread(_decode, url, content, heif=self._heif)
            except InputError as error:
                raise InputError(f"{name} {error}") from error
            except Exception as error:  # Pillow has no common error for broken images
                raise InputError(f"{name} is not a supported image") from error

    async def close(self) -> None:
        """Close the client session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

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


def read_data_url(url: str) -> tuple[str, bytes]:
    """Return the media type and the content of a base64 data URL.

    Raises:
        InputError: It is something else.
    """
    head, separator, content = url.partition(",")
    if not (separator and head.startswith("data:") and head.endswith(";base64")):
        raise InputError("is not a base64 data URL")
    return head[len("data:") : -len(";base64")], read_base64(content)


def read_base64(content: str) -> bytes:
    """Return decoded base64.

    Raises:
        InputError: It is something else.
    """
    try:
        return base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error) as error:
        raise InputError("is not valid base64") from error


def is_loopback_host(host: str) -> bool:
    """Return whether a host is this machine, by name or address alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _open(content: bytes, *, heif: bool) -> Image.Image:
    if heif and content[4:12] in _HEIF_BRANDS:
        opened = pillow_heif.open_heif(content).to_pillow()
        opened.format = "HEIF"
        return opened
    return Image.open(io.BytesIO(content), formats=FORMATS)


def _decode(url: str, content: bytes, *, heif: bool) -> Input:
    with _open(content, heif=heif) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            raise InputError("has too many pixels")
        format_ = (opened.format or "").lower()
        opened.load()
        has_alpha = opened.has_transparency_data
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    width, height = upright.size
    upright.thumbnail((_KEPT_SIDE_PIXELS, _KEPT_SIDE_PIXELS))
    kept = Image.new("RGB", upright.size, "white")
    kept.paste(upright, mask=upright.getchannel("A"))
    return Input(
        url=url,
        sha256=hashlib.sha256(content).hexdigest(),
        length=len(content),
        format=format_,
        width=width,
        height=height,
        picture=_encode(kept),
        alpha=_encode(upright.getchannel("A")) if has_alpha else b"",
    )


def _encode(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
