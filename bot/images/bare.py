"""Taking out of a picture's file what is not the picture: places, cameras, names, comments, further pictures.

PNG, JPEG and WebP are made of marked pieces, so the pixels stay as they were encoded, to the bit. What tells how to
show them stays too: colour profiles, transparency, density.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

from bot.domain.errors import PictureError, PictureProblem

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
    | {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"pHYs", b"bKGD", b"mDCV", b"cLLI"}
)
_PNG_FRAME_BYTES: Final = 12  # a chunk's length, name and checksum

_WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"})
_WEBP_HEADER_BYTES: Final = 12
_WEBP_EXIF_AND_XMP: Final = 0b0000_1100

_SOI: Final = b"\xff\xd8"
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_APP0, _APP2, _APP14, _APP15 = 0xE0, 0xE2, 0xEE, 0xEF
_COM: Final = 0xFE
_PROFILE: Final = b"ICC_PROFILE\x00"
# Within a scan, FF is followed by 00 where it is data, or by a restart marker.
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def bared(data: bytes, media_type: str) -> bytes:
    """Return the file without its metadata; `media_type` is PNG's, JPEG's or WebP's, and it has been decoded before.

    Raises `PictureError` (NOT_A_PICTURE, TRUNCATED) where its pieces do not fit together.
    """
    strip = {"image/png": _bare_png, "image/jpeg": _bare_jpeg, "image/webp": _bare_webp}[media_type]
    try:
        return strip(data)
    except (struct.error, IndexError):
        raise PictureError(PictureProblem.TRUNCATED, "pieces") from None


def _bare_png(data: bytes) -> bytes:
    kept = [_PNG_SIGNATURE]
    at = len(_PNG_SIGNATURE)
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + _PNG_FRAME_BYTES + length
        if end > len(data):
            raise PictureError(PictureProblem.TRUNCATED, "pieces")
        if name in _PNG_KEPT:
            kept.append(data[at:end])
        if name == b"IEND":
            return b"".join(kept)
        at = end


def _bare_webp(data: bytes) -> bytes:
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    kept = []
    at = _WEBP_HEADER_BYTES
    while at < end:
        name, length = struct.unpack_from("<4sI", data, at)
        piece = data[at : at + 8 + length + length % 2]
        if name == b"VP8X":
            piece = piece[:8] + bytes([piece[8] & ~_WEBP_EXIF_AND_XMP]) + piece[9:]
        if name in _WEBP_KEPT:
            kept.append(piece)
        at += len(piece)
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _bare_jpeg(data: bytes) -> bytes:
    return b"".join((_SOI, *_jpeg_pieces(data)))


def _jpeg_pieces(data: bytes) -> Iterator[bytes]:
    """Yield the segments and scans that are kept, up to the end of the first picture."""
    at = len(_SOI)
    while True:
        while data[at + 1] == 0xFF:  # noqa: PLR2004 - fill bytes may precede a marker
            at += 1
        if data[at] != 0xFF:  # noqa: PLR2004
            raise PictureError(PictureProblem.NOT_A_PICTURE, "pieces")
        marker = data[at + 1]
        if marker == _EOI:
            yield data[at : at + 2]
            return
        end = at + 2 + int(struct.unpack_from(">H", data, at + 2)[0])
        if end > len(data):
            raise PictureError(PictureProblem.TRUNCATED, "pieces")
        if marker == _SOS:
            after = _AFTER_SCAN.search(data, end)
            if after is None:  # cut off right at its end: decoders take it, so its end is put back
                yield data[at:]
                yield bytes([0xFF, _EOI])
                return
            end = after.start()
        if _kept_in_jpeg(marker, data[at + 4 : at + 4 + len(_PROFILE)]):
            yield data[at:end]
        at = end


def _kept_in_jpeg(marker: int, begin: bytes) -> bool:
    if marker == _APP2:
        return begin == _PROFILE
    return marker in (_APP0, _APP14) or not (_APP0 <= marker <= _APP15 or marker == _COM)
