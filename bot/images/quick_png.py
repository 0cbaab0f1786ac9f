"""Usual PNGs, checked and decoded in a third of Pillow's time.

isal inflates the image data and checks their sum, image-rs (in kornia-rs) computes the pixels. Whatever is unusual or
broken is left to Pillow, whose verdict then counts.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from typing import Final

from isal import isal_zlib
from kornia_rs.io import decode_image_png_u8
from PIL import Image, PngImagePlugin

_CHANNELS: Final = {"L": 1, "RGB": 3, "RGBA": 4}
_NAMES: Final = {"L": "mono", "RGB": "rgb", "RGBA": "rgba"}
_HEAD: Final = struct.Struct(">I4s")
_SUM: Final = struct.Struct(">I")
_SIGNATURE_BYTES: Final = 8
_BIT_DEPTH_AT: Final = 24
_USUAL_BIT_DEPTH: Final = 8
_LAST_FILTER: Final = 4
_MOVING: Final = b"acTL"
_DATA: Final = b"IDAT"
_END: Final = b"IEND"

_Chunk = tuple[bytes, memoryview]


def decode_usual_png(data: bytes, image: PngImagePlugin.PngImageFile) -> Image.Image | None:
    """Return the pixels of a PNG opened by Pillow; None if it is broken or unusual.

    Usual is what generators write: one frame, 8 bits a channel, no palette, not interlaced, nothing behind the pixels.
    Pillow has checked what is before the pixels. The size must have been checked.
    """
    if image.mode not in _CHANNELS or "interlace" in image.info or "transparency" in image.info:
        return None
    if data[_BIT_DEPTH_AT] != _USUAL_BIT_DEPTH:
        return None
    packed = _packed_pixels(data)
    width, height = image.size
    row_bytes = 1 + width * _CHANNELS[image.mode]
    if packed is None or not _is_complete(packed, row_bytes, height):
        return None
    try:
        pixels = decode_image_png_u8(data, (height, width), _NAMES[image.mode])
    except BaseException:  # noqa: BLE001 - Pillow says what is wrong; a panic of Rust is no `Exception`
        return None
    decoded = Image.frombuffer(image.mode, image.size, pixels, "raw", image.mode, 0, 1)
    decoded.info = image.info
    return decoded


def _packed_pixels(data: bytes) -> bytes | None:
    """Return the image data of a file in the usual order with right sums."""
    chunks = list(_chunks(data))
    kinds = [kind for kind, _ in chunks]
    first = next(dropwhile(lambda at: kinds[at] != _DATA, range(len(kinds))), 0)
    parts = list(takewhile(lambda chunk: chunk[0] == _DATA, chunks[first:]))
    if _MOVING in kinds or kinds[first + len(parts) :] != [_END]:
        return None
    return b"".join(body for _, body in parts)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield a file's chunks up to the first broken one."""
    view, at = memoryview(data), _SIGNATURE_BYTES
    while at < len(data):
        try:
            length, kind = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + length
            (checksum,) = _SUM.unpack_from(data, end)
        except struct.error:
            return
        if zlib.crc32(view[at + _SUM.size : end]) != checksum:
            return
        yield kind, view[at + _HEAD.size : end]
        at = end + _SUM.size


def _is_complete(packed: bytes, row_bytes: int, rows: int) -> bool:
    """Return whether packed rows are all there, with known filters."""
    inflater = isal_zlib.decompressobj()
    size = row_bytes * rows
    try:
        # A byte more than expected, so that a longer stream is seen; never more, however much is packed.
        inflated = inflater.decompress(packed, size + 1)
    except isal_zlib.error:  # type: ignore[misc] # the stub has it as a variable
        return False
    if len(inflated) != size or not inflater.eof or inflater.unused_data:
        return False
    return max(inflated[::row_bytes]) <= _LAST_FILTER
