"""Usual PNGs, checked and decoded in a third of Pillow's time.

isal inflates the rows and checks their sum; image-rs (in kornia-rs) gets them uncompressed and computes the pixels.
Whatever is unusual or broken is left to Pillow, whose verdict then counts.
"""

import struct
from collections.abc import Iterator
from typing import Final

from isal import isal_zlib
from kornia_rs.io import decode_image_png_u8
from PIL import Image, PngImagePlugin

# Larger ones would take more memory than with Pillow.
_MOST_PIXELS: Final = 8 * 1024 * 1024
_CHANNELS: Final = {"L": 1, "RGB": 3, "RGBA": 4}
_NAMES: Final = {"L": "mono", "RGB": "rgb", "RGBA": "rgba"}
_HEAD: Final = struct.Struct(">I4s")
_SUM: Final = struct.Struct(">I")
_SIGNATURE_BYTES: Final = 8
_BIT_DEPTH_AT: Final = 24
_USUAL_BIT_DEPTH: Final = 8
_LAST_FILTER: Final = 4
_HEADER: Final = slice(33)  # the signature and the first chunk
_ZLIB_HEADER: Final = b"\x78\x01"
_STORED: Final = struct.Struct("<BHH")
_MOST_STORED: Final = 0xFFFF
_MOVING: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
_LARGEST_WINDOW: Final = 7  # as a PNG may announce it
_FIRST: Final = b"IHDR"
_DATA: Final = b"IDAT"
_END: Final = b"IEND"
_PLACED: Final = frozenset({_FIRST, _DATA, _END})
_END_CHUNK: Final = _SUM.pack(0) + _END + _SUM.pack(isal_zlib.crc32(_END))

_Chunk = tuple[bytes, memoryview]


def decode_usual_png(data: bytes, image: PngImagePlugin.PngImageFile) -> Image.Image | None:
    """Return the pixels of a PNG opened by Pillow; None if it is unusual.

    So are broken ones. Usual is what generators write: one frame of at most 8 megapixels, 8 bits a channel, no palette,
    not interlaced, nothing behind the pixels. Pillow has checked what is before the pixels.
    """
    width, height = image.size
    if width * height > _MOST_PIXELS:
        return None
    if image.mode not in _CHANNELS or "interlace" in image.info or "transparency" in image.info:
        return None
    if data[_BIT_DEPTH_AT] != _USUAL_BIT_DEPTH:
        return None
    packed = _packed_rows(data)
    row_bytes = 1 + width * _CHANNELS[image.mode]
    rows = None if packed is None else _inflate(packed, row_bytes * height)
    if rows is None or max(rows[::row_bytes]) > _LAST_FILTER:
        return None
    try:
        pixels = decode_image_png_u8(_uncompressed(data[_HEADER], rows), (height, width), _NAMES[image.mode])
    except BaseException:  # noqa: BLE001 - Pillow says what is wrong; a panic of Rust is no `Exception`
        return None
    decoded = Image.frombuffer(image.mode, image.size, pixels, "raw", image.mode, 0, 1)
    decoded.info = image.info
    return decoded


def _packed_rows(data: bytes) -> bytes | None:
    """Return the image data of a file in the usual order with right sums."""
    chunks = list(_chunks(data))
    kinds = [kind for kind, _ in chunks]
    parts = [body for kind, body in chunks if kind == _DATA]
    # All that is before the rows has been checked by Pillow, except its order.
    usual = [_FIRST, *(kind for kind in kinds if kind not in _PLACED), *[_DATA] * len(parts), _END]
    return b"".join(parts) if kinds == usual and _MOVING.isdisjoint(kinds) else None


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
        if isal_zlib.crc32(view[at + _SUM.size : end]) != checksum:
            return
        yield kind, view[at + _HEAD.size : end]
        at = end + _SUM.size


def _inflate(packed: bytes, size: int) -> bytes | None:
    """Return the rows if they are complete and their sum is right."""
    if not packed or packed[0] >> 4 > _LARGEST_WINDOW:
        return None
    inflater = isal_zlib.decompressobj()
    try:
        # A byte more than expected, so that a longer stream is seen; never more, however much is packed.
        rows = inflater.decompress(packed, size + 1)
    except isal_zlib.error:  # type: ignore[misc] # the stub has it as a variable
        return None
    return rows if len(rows) == size and inflater.eof and not inflater.unused_data else None


def _uncompressed(header: bytes, rows: bytes) -> bytes:
    """Return a PNG of rows without compression.

    To inflate them again would take as long as to compute the pixels.
    """
    view = memoryview(rows)
    parts: list[bytes | memoryview] = [_DATA, _ZLIB_HEADER]
    for at in range(0, len(rows), _MOST_STORED):
        block = view[at : at + _MOST_STORED]
        parts += _STORED.pack(at + _MOST_STORED >= len(rows), len(block), len(block) ^ _MOST_STORED), block
    parts.append(_SUM.pack(isal_zlib.adler32(rows)))
    checksum = 0
    for part in parts:
        checksum = isal_zlib.crc32(part, checksum)
    length = sum(map(len, parts)) - len(_DATA)
    return b"".join((header, _SUM.pack(length), *parts, _SUM.pack(checksum), _END_CHUNK))
