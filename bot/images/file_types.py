"""Media types of picture files by their first bytes."""

import struct
from typing import Final

from bot.domain.errors import ImageError, ImageProblem

HEAD_BYTES: Final = 12
UNKNOWN_FORMAT: Final = "magic"
"""Detail of the error for a file that begins like no picture."""
_RIFF_HEADER_BYTES: Final = 8


def sniff(head: bytes, size: int) -> str:
    """Return the media type of a file.

    `head` are its first `HEAD_BYTES`, `size` is its length in bytes.

    Raises:
        ImageError: NOT_A_PICTURE, or TRUNCATED for a WebP shorter than its header says.
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        # libwebp only says that it cannot make a decoder.
        if struct.unpack("<I", head[4:8])[0] + _RIFF_HEADER_BYTES > size:
            raise ImageError(ImageProblem.TRUNCATED, "RIFF")
        return "image/webp"
    raise ImageError(ImageProblem.NOT_A_PICTURE, UNKNOWN_FORMAT)
