"""Rules for input images, checked before any download.

The facts about an image are those that Discord gives. Only a definite fact rejects: where they are missing or odd, the
file itself decides after the download.

Source: the official Reve's limits for images (sides up to 8192, 33,554,432 pixels), and this product's 20 MiB.
"""

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from bot.domain.errors import InputError, InputProblem
from bot.domain.images import ImageRef, InputImage
from bot.domain.options import nearest_ratio

MAX_INPUTS: Final = 4
"""Pictures that one command or one menu takes; a model may take fewer."""
MAX_BYTES: Final = 20 * 1024 * 1024
MAX_PIXELS: Final = 33_554_432
"""Pixels of an image for a provider; larger ones are scaled down."""
MIN_SIDE: Final = 16
MAX_SIDE: Final = 8192
GIF: Final = "image/gif"

_JPEG, _PNG, _WEBP, _HEIC, _AVIF = "image/jpeg", "image/png", "image/webp", "image/heic", "image/avif"
SOURCE_PIXELS: Final = {
    _JPEG: 100_000_000,  # decoded at a fraction of its size
    _PNG: 50_000_000,
    _WEBP: MAX_PIXELS,  # its decoder takes 16 bytes a pixel
    GIF: 50_000_000,
    _HEIC: 50_000_000,
    _AVIF: 50_000_000,
}
"""Most pixels of a member's file by media type, so that decoding it fits into the memory of a small machine."""

_ENDINGS: Final = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp"), _JPEG),
    **dict.fromkeys(("png", "apng"), _PNG),
    **dict.fromkeys(("heic", "heif", "hif"), _HEIC),
    "webp": _WEBP,
    "gif": GIF,
    "avif": _AVIF,
}
_OTHER_NAMES: Final = {
    "image/jpg": _JPEG,
    "image/pjpeg": _JPEG,
    "image/apng": _PNG,
    "image/x-png": _PNG,
    "image/heif": _HEIC,
}
# What a server says that does not know a file's type.
_VAGUE: Final = ("", "application/octet-stream", "binary/octet-stream", "application/x-download")
# Pictures, but drawings, or formats that hardly anybody posts, with decoders of a bad record.
_REFUSED_PICTURES: Final = (
    "image/svg+xml",
    "image/bmp",
    "image/x-ms-bmp",
    "image/tiff",
    "image/vnd.adobe.photoshop",
    "image/x-icon",
    "image/vnd.microsoft.icon",
)
# The types that Python itself knows, whatever this machine has configured.
_TYPES: Final = mimetypes.MimeTypes()
_DISCORDS: Final = ("cdn.discordapp.com", "media.discordapp.net")
# The numbered hosts that fetch what embeds show, so nobody is sent to a foreign server.
_EMBED_PROXY: Final = re.compile(r"images-ext-[0-9]{1,3}\.discordapp\.net")
# Only these expire; the URLs of the embeds' proxy do not.
_SIGNED_FOLDERS: Final = ("attachments", "ephemeral-attachments")
_PORTS: Final = {"http": 80, "https": 443}
_MAX_TIMESTAMP_DIGITS: Final = 12
"""Hexadecimal digits of a time; longer ones are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentInfo:
    """An attachment as Discord describes it; unknown facts are None.

    `size` is in bytes, sides are in pixels. `media_type` may have parameters behind it. `parent` is set if it is one of
    the studio's own images.
    """

    url: str
    filename: str = ""
    media_type: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    parent: ImageRef | None = None

    @property
    def kind(self) -> str | None:
        """Return the declared media type, else the one of the file's ending.

        None if neither says anything.
        """
        declared = (self.media_type or "").partition(";")[0].strip().lower()
        if declared not in _VAGUE:
            return _OTHER_NAMES.get(declared, declared)
        ending = self.filename.rpartition(".")[2].lower()
        found = _ENDINGS.get(ending) or _TYPES.guess_type(f"a.{ending}")[0]
        return None if found in _VAGUE else found

    @property
    def aspect_ratio(self) -> str | None:
        """Return the nearest named ratio; None if the size is unknown."""
        if not self.width or not self.height:
            return None
        return nearest_ratio(self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPolicy:
    """The rules for input images of a studio.

    `extra_origin` is the origin (scheme, host and port) of an API that replaces Discord's and keeps files too.
    `served`: providers fetch the sanitized images from us. Else each job publishes them before it is queued.
    """

    extra_origin: str | None = None
    served: bool = True

    def select_usable(self, offered: Sequence[AttachmentInfo], now: datetime) -> tuple[AttachmentInfo, ...]:
        """Return the usable ones of the attachments found in a message.

        Files that nothing describes as pictures are returned only if there are no others.

        Raises:
            InputError: NONE if there are no attachments; the first one's fault if none is usable.
        """
        if not offered:
            raise InputError(InputProblem.NONE)
        usable = []
        fault: InputError | None = None
        for picture in offered:
            try:
                self.admit([picture], now)
            except InputError as error:
                fault = fault or error
            else:
                usable.append(picture)
        if not usable and fault is not None:
            raise fault
        described = tuple(picture for picture in usable if picture.kind is not None or picture.width)
        return described or tuple(usable)

    def admit(self, offered: Sequence[AttachmentInfo], now: datetime) -> tuple[InputImage, ...]:
        """Return the input images of a request.

        Raises:
            InputError: for the first unusable attachment.
        """
        if len(offered) > MAX_INPUTS:
            raise InputError(InputProblem.TOO_MANY, value=len(offered), limit=MAX_INPUTS)
        for position, picture in enumerate(offered, 1):
            number = position if len(offered) > 1 else None
            _check_described(picture, number)
            self._check_address(picture.url, now, number, picture.filename)
        return tuple(InputImage(url=picture.url, parent=picture.parent) for picture in offered)

    def check(self, inputs: Sequence[InputImage], now: datetime) -> None:
        """Check that each input is stored or can be fetched.

        Raises:
            InputError: the first unusable input.
        """
        for position, picture in enumerate(inputs, 1):
            number = position if len(inputs) > 1 else None
            if picture.file is not None:
                continue
            if picture.url is None:
                raise InputError(InputProblem.GONE, position=number)
            self._check_address(picture.url, now, number, "")

    def is_known(self, url: str) -> bool:
        """Return whether a URL is one of Discord's or of the extra origin."""
        return self._is_known(_split(url))

    def _is_known(self, parts: SplitResult | None) -> bool:
        if parts is None or parts.username is not None or parts.password is not None:
            return False
        if self.extra_origin is not None and _origin(parts) == _origin(_split(self.extra_origin)):
            return True
        host = parts.hostname or ""
        if parts.scheme != "https" or parts.port not in (None, _PORTS["https"]):
            return False
        return host in _DISCORDS or _EMBED_PROXY.fullmatch(host) is not None

    def _check_address(self, url: str, now: datetime, number: int | None, name: str) -> None:
        parts = _split(url)
        if parts is None or not self._is_known(parts):
            raise InputError(InputProblem.FOREIGN, position=number, name=name)
        until = _url_expiry(parts)
        if until is not None and until <= now:
            raise InputError(InputProblem.EXPIRED, position=number, name=name)


def is_fetchable(url: str | None, until: datetime) -> bool:
    """Return whether a URL exists and is signed until then, if it is signed."""
    parts = None if url is None else _split(url)
    if parts is None:
        return False
    expiry = _url_expiry(parts)
    return expiry is None or expiry > until


SERVED: Final = InputPolicy()
"""The policy of a studio that providers can fetch from, on Discord itself."""


def _check_described(picture: AttachmentInfo, number: int | None) -> None:
    """Check an attachment's metadata against the limits.

    Raises:
        InputError: the attachment is beyond one of them.
    """

    def fault(problem: InputProblem, value: int | str | None = None, limit: int | None = None) -> InputError:
        return InputError(problem, position=number, name=picture.filename, value=value, limit=limit)

    kind = picture.kind
    if kind is not None and (not kind.startswith("image/") or kind in _REFUSED_PICTURES):
        raise fault(InputProblem.WRONG_TYPE, kind)
    if picture.size is not None and picture.size > MAX_BYTES:
        raise fault(InputProblem.TOO_HEAVY, picture.size, MAX_BYTES)
    width, height = picture.width or 0, picture.height or 0
    if width <= 0 or height <= 0:
        return
    most = SOURCE_PIXELS.get(kind or "", max(SOURCE_PIXELS.values()))
    if width * height > most:
        raise fault(InputProblem.TOO_LARGE, width * height, most)
    if min(width, height) < MIN_SIDE:
        raise fault(InputProblem.TOO_SMALL, min(width, height), MIN_SIDE)


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if it is not a valid one."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in _PORTS and parts.hostname else None


def _origin(parts: SplitResult | None) -> tuple[str, str, int] | None:
    if parts is None or parts.hostname is None:
        return None
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _url_expiry(parts: SplitResult) -> datetime | None:
    """Return the expiry of a signed URL; None if it has none."""
    signed = parse_qs(parts.query).get("ex")
    if signed and len(signed[0]) <= _MAX_TIMESTAMP_DIGITS:
        try:
            return datetime.fromtimestamp(int(signed[0], 16), UTC)
        except (ValueError, OverflowError, OSError):
            pass
    # Without a signature, or with a broken one, Discord no longer serves an attachment.
    attached = any(part in _SIGNED_FOLDERS for part in parts.path.split("/")[:3])
    return datetime.min.replace(tzinfo=UTC) if attached else None
