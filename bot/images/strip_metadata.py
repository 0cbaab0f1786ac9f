"""Strip metadata from image files without re-encoding.

Places, cameras, names, comments, thumbnails and further images go. The formats are made of marked pieces, so
the pixels stay as they were encoded, to the bit. Colour profiles, transparency and density stay too, because
they say how to show the pixels. Only pieces that a decoder needs are kept, so an unknown one carries nothing
out. This runs before any decoding, so that no decoder sees a stranger's other data, nor a small file that
would keep it busy for hours.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bot.domain.errors import ImageError, ImageProblem

UPRIGHT: Final = 1
"""EXIF's orientation of a picture that is shown as it is encoded."""

# Far more than encoders write: each piece costs a decoder time, however small it is.
_MOST_PIECES: Final = 50_000
# A progressive JPEG has about ten; each goes over all pixels, and can be made of a few bytes.
_MOST_SCANS: Final = 64

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
    | {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"pHYs", b"bKGD", b"mDCV", b"cLLI"}
)
_PNG_COLOUR: Final = frozenset({b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"pHYs"})
_PNG_FRAME_BYTES: Final = 12  # a chunk's length, name and checksum
_PNG_IHDR_BYTES: Final = _PNG_FRAME_BYTES + 13

_WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"})
_WEBP_HEADER_BYTES: Final = 12
_WEBP_EXIF_AND_XMP: Final = 0b0000_1100

_GIF_HEADER_BYTES: Final = 13
_GIF_FRAME_BYTES: Final = 10
_GIF_HAS_PALETTE: Final = 0x80
_GIF_EXTENSION, _GIF_FRAME, _GIF_END = 0x21, 0x2C, 0x3B
_GIF_CONTROL: Final = 0xF9

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
# Frames, scans, tables, restart intervals and line counts: all that describes pixels.
_JPEG_KEPT: Final = frozenset({*range(0xC0, 0xD0), _SOS, 0xDB, 0xDC, 0xDD}) - {0xC8}
# Markers without a length: restarts between scans, and TEM.
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_PROFILE: Final = b"ICC_PROFILE\x00"
_JFIF, _JFIF_BYTES = b"JFIF\x00", 12  # version and density; a thumbnail follows
_ADOBE, _ADOBE_BYTES = b"Adobe", 12
_MARKER: Final = re.compile(rb"\xff+([^\x00\xff])")
# Within a scan, FF is followed by 00 where it is data, or by a restart marker.
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

_EXIF: Final = b"Exif\x00\x00"
_BYTE_ORDERS: Final = {b"II*\x00": "<", b"MM\x00*": ">"}
_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_ENTRY_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StrippedImage:
    """The file of one still image.

    `orientation` is EXIF's, 1 to 8. `moving`: it must become a PNG, as a GIF or as the first of several frames.
    `scans` counts a JPEG's: from two on, a decoder holds all coefficients in memory. `lossless` is a WebP's.
    """

    data: bytes
    orientation: int = UPRIGHT
    moving: bool = False
    scans: int = 0
    lossless: bool = False


def strip_metadata(data: bytes, media_type: str) -> StrippedImage:
    """Return the first image of a file without its metadata.

    Whether the image can be decoded is not checked.

    Raises:
        ImageError: NOT_A_PICTURE, TRUNCATED or TOO_LARGE if its pieces do not fit together, or are too many.
    """
    try:
        return _STRIPPED[media_type](data)
    except (struct.error, IndexError):
        raise ImageError(ImageProblem.TRUNCATED, "pieces") from None


def colour_chunks(png: bytes) -> bytes:
    """Return a PNG's chunks that say how to show its pixels."""
    return b"".join(chunk for name, chunk in _png_chunks(png) if name in _PNG_COLOUR)


def with_colour_chunks(png: bytes, chunks: bytes) -> bytes:
    """Return a PNG with its colour chunks replaced by these."""
    kept = b"".join(chunk for name, chunk in _png_chunks(png) if name in _PNG_KEPT - _PNG_COLOUR)
    return _PNG_SIGNATURE + kept[:_PNG_IHDR_BYTES] + chunks + kept[_PNG_IHDR_BYTES:]


def _joined(pieces: list[bytes]) -> bytes:
    if len(pieces) > _MOST_PIECES:
        raise ImageError(ImageProblem.TOO_LARGE, "pieces")
    return b"".join(pieces)


def _bare_png(data: bytes) -> StrippedImage:
    kept = [_PNG_SIGNATURE]
    orientation, moving = UPRIGHT, False
    for name, chunk in _png_chunks(data):
        if name in _PNG_KEPT:
            kept.append(chunk)
        elif name == b"eXIf":
            orientation = _orientation_in(chunk[8:-4])
        elif name == b"acTL":
            # An animation of one frame is a still: some encoders write all of theirs so.
            moving = struct.unpack_from(">I", chunk, 8)[0] > 1
    return StrippedImage(data=_joined(kept), orientation=orientation, moving=moving)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and bytes of a PNG's chunks, up to its end."""
    at, name = len(_PNG_SIGNATURE), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + _PNG_FRAME_BYTES + length
        if end > len(data):
            raise ImageError(ImageProblem.TRUNCATED, "pieces")
        yield name, data[at:end]
        at = end


def _bare_webp(data: bytes) -> StrippedImage:
    """Strip a WebP; of an animation keep the first frame.

    That frame stays in its animation's frame: it may be smaller than the whole.
    """
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    kept = []
    orientation, moving, lossless = UPRIGHT, False, False
    at = _WEBP_HEADER_BYTES
    while at < end:
        name, length = struct.unpack_from("<4sI", data, at)
        piece = data[at : at + 8 + length + length % 2]
        if len(piece) < 8 + length:
            raise ImageError(ImageProblem.TRUNCATED, "pieces")
        if name == b"VP8X":
            piece = piece[:8] + bytes([piece[8] & ~_WEBP_EXIF_AND_XMP]) + piece[9:]
        if name in _WEBP_KEPT and not (moving and name == b"ANMF"):
            kept.append(piece)
        elif name == b"EXIF":
            orientation = _orientation_in(piece[8:])
        moving = moving or name == b"ANMF"
        lossless = lossless or name == b"VP8L"
        at += 8 + length + length % 2
    body = b"WEBP" + _joined(kept)
    riff = b"RIFF" + struct.pack("<I", len(body)) + body
    return StrippedImage(data=riff, orientation=orientation, moving=moving, lossless=lossless)


def _bare_gif(data: bytes) -> StrippedImage:
    at = _GIF_HEADER_BYTES + _palette_bytes(data[10])
    head, control = data[:at], b""
    passed = 0
    while data[at] != _GIF_FRAME:
        passed += 1
        if passed > _MOST_PIECES:
            raise ImageError(ImageProblem.TOO_LARGE, "pieces")
        if data[at] == _GIF_END:
            raise ImageError(ImageProblem.NOT_A_PICTURE, "no frame")
        begin = at
        at = _after_blocks(data, at + 2) if data[at] == _GIF_EXTENSION else at + 1
        if data[begin : begin + 2] == bytes([_GIF_EXTENSION, _GIF_CONTROL]):
            control = data[begin:at]
    begin = at
    at += _GIF_FRAME_BYTES + _palette_bytes(data[at + _GIF_FRAME_BYTES - 1])
    frame = data[begin : _after_blocks(data, at + 1)]
    return StrippedImage(data=head + control + frame + bytes([_GIF_END]), moving=True)


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & _GIF_HAS_PALETTE else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Return the end of a run of a GIF's blocks.

    If the file ends within the run, the decoder decides whether that is enough.
    """
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _bare_jpeg(data: bytes) -> StrippedImage:
    kept = [data[:2]]
    orientation, scans = None, 0
    for passed, (marker, piece) in enumerate(_jpeg_pieces(data)):
        if passed > _MOST_PIECES:
            raise ImageError(ImageProblem.TOO_LARGE, "pieces")
        kept.append(_bare_segment(marker, piece))
        if marker == _APP1 and orientation is None and piece[4:].startswith(_EXIF):
            orientation = _orientation_in(piece[4:])
        scans += marker == _SOS
        if scans > _MOST_SCANS:
            raise ImageError(ImageProblem.TOO_LARGE, "scans")
    return StrippedImage(data=_joined(kept), orientation=orientation or UPRIGHT, scans=scans)


def _jpeg_pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield segments and scans with their markers.

    The end is that of the first image, or of the file. Stray bytes between segments are skipped, as libjpeg does.
    """
    at = 2
    while True:
        found = _MARKER.search(data, at)
        if found is None:
            raise ImageError(ImageProblem.TRUNCATED, "pieces")
        marker, begin = found[1][0], found.end() - 2
        if marker == _EOI:
            yield marker, data[begin : begin + 2]
            return
        if marker == _SOI:  # the image of another segment, with a wrong length
            raise ImageError(ImageProblem.NOT_A_PICTURE, "pieces")
        bare = marker in _JPEG_BARE
        end = begin + 2 + (0 if bare else max(2, struct.unpack_from(">H", data, begin + 2)[0]))
        if end > len(data):
            raise ImageError(ImageProblem.TRUNCATED, "pieces")
        if marker == _SOS:
            after = _AFTER_SCAN.search(data, end)
            if after is None:
                yield marker, data[begin:]
                return
            end = after.start()
        yield marker, data[begin:end]
        at = end


def _bare_segment(marker: int, piece: bytes) -> bytes:
    """Reduce a JPEG segment to the fields that decoders read."""
    body = piece[4:]
    if marker == _APP0 and body.startswith(_JFIF) and len(body) >= _JFIF_BYTES:
        return _segment(marker, body[:_JFIF_BYTES] + bytes(2))
    if marker == _APP14 and body.startswith(_ADOBE) and len(body) >= _ADOBE_BYTES:
        # Decoders read the last of its fields only, the colour transform.
        return _segment(marker, _ADOBE + b"\x00\x64" + bytes(4) + body[_ADOBE_BYTES - 1 : _ADOBE_BYTES])
    if marker == _APP2 and body.startswith(_PROFILE):
        return piece
    return piece if marker in _JPEG_KEPT or marker == _EOI else b""


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _orientation_in(exif: bytes) -> int:
    """Return the EXIF orientation; broken EXIF gives no rotation."""
    exif = exif.removeprefix(_EXIF)
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(entries):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + _ENTRY_BYTES * entry)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and 1 <= value <= 8 else UPRIGHT  # noqa: PLR2004 - by EXIF
    except struct.error:
        pass
    return UPRIGHT


_STRIPPED: Final[dict[str, Callable[[bytes], StrippedImage]]] = {
    "image/png": _bare_png,
    "image/jpeg": _bare_jpeg,
    "image/webp": _bare_webp,
    "image/gif": _bare_gif,
}
