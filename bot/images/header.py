"""Estimate of the memory for decoding an image file.

The estimate comes from the header alone. A header that lies costs its file only: the process that decodes it may not
take much more memory than this.
"""

import struct
from pathlib import Path
from typing import BinaryIO, Final

from bot.domain.attachments import MAX_PIXELS

_HEAD_BYTES: Final = 30
# Measured with Pillow, transposing and encoding included.
_PNG_BYTES: Final = 8
_GIF_BYTES: Final = 12
_JPEG_BYTES: Final = 10
_WEBP_BYTES: Final = 16
# The file as read, as stripped, and as the decoder copies it.
_COPIES: Final = 4
_MOST_SEGMENTS: Final = 1_000
_SOF_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SOS: Final = 0xDA


def estimate_memory(path: Path) -> int:
    """Return the bytes of memory for decoding and encoding the file.

    A file without a known header counts as the largest input.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        try:
            needed = _needed(head, file)
        except struct.error:
            needed = None
    return (_WEBP_BYTES * MAX_PIXELS if needed is None else needed) + _COPIES * path.stat().st_size


def _needed(head: bytes, file: BinaryIO) -> int | None:
    if head.startswith(b"\x89PNG"):
        width, height = struct.unpack_from(">II", head, 16)
        return int(width) * int(height) * _PNG_BYTES
    if head.startswith(b"GIF8"):
        width, height = struct.unpack_from("<HH", head, 6)
        return int(width) * int(height) * _GIF_BYTES
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp_pixels(head) * _WEBP_BYTES
    if head.startswith(b"\xff\xd8"):
        pixels = _jpeg_pixels(file)
        return None if pixels is None else pixels * _JPEG_BYTES
    return None


def _webp_pixels(head: bytes) -> int:
    kind = head[12:16]
    if kind == b"VP8X":
        return (1 + int.from_bytes(head[24:27], "little")) * (1 + int.from_bytes(head[27:30], "little"))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return int((1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF)))
    width, height = struct.unpack_from("<HH", head, 26)
    return int((width & 0x3FFF) * (height & 0x3FFF))


def _jpeg_pixels(file: BinaryIO) -> int | None:
    file.seek(2)
    for _ in range(_MOST_SEGMENTS):
        marker, length = struct.unpack(">HH", file.read(4))
        if marker & 0xFF in _SOF_MARKERS:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return int(width) * int(height)
        if marker >> 8 != 0xFF or marker & 0xFF == _SOS:  # noqa: PLR2004 - each marker begins with FF
            return None
        file.seek(length - 2, 1)
    return None
