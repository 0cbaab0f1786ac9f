"""A provenance manifest in image files, at the place where C2PA puts it.

The manifest is a JUMBF box like a real one, with a JSON claim instead of a signed one. It proves that a file's bytes
were kept: any re-encoding drops it.
"""

import json
import struct
import zlib
from typing import Final

_C2PA: Final = bytes.fromhex("6332706100110010800000aa00389b71")
_JSON: Final = bytes.fromhex("6a736f6e00110010800000aa00389b71")
_REQUESTABLE: Final = b"\x03"
_PNG_START: Final = 33  # signature and IHDR
_JPEG_START: Final = b"\xff\xd8"
_APP0: Final = 0xE0
_APP11: Final = b"\xff\xeb"
_JPEG_PREFIX: Final = b"JP\x00\x01\x00\x00\x00\x01"  # box instance 1, packet 1
_RIFF_HEADER_BYTES: Final = 12
_ALPHA_FLAG: Final = 0x10


def manifest(label: str) -> bytes:
    """Return a manifest box; `label` distinguishes it from others."""
    claim = json.dumps({"claim_generator": "sandbox", "label": label, "digital_source_type": "trainedAlgorithmicMedia"})
    content = _box(b"jumb", _box(b"jumd", _JSON + _REQUESTABLE + b"c2pa.claim\0") + _box(b"json", claim.encode()))
    return _box(b"jumb", _box(b"jumd", _C2PA + _REQUESTABLE + b"c2pa\0") + content)


def add_manifest(image: bytes, box: bytes) -> bytes:
    """Return a PNG, JPEG or WebP file with a manifest and the same pixels."""
    if image.startswith(b"\x89PNG"):
        chunk = struct.pack(">I", len(box)) + b"caBX" + box + struct.pack(">I", zlib.crc32(b"caBX" + box))
        return image[:_PNG_START] + chunk + image[_PNG_START:]
    if image.startswith(_JPEG_START):
        at = len(_JPEG_START)
        if image[at + 1] == _APP0:
            at += 2 + int.from_bytes(image[at + 2 : at + 4], "big")
        payload = _JPEG_PREFIX + box
        return image[:at] + _APP11 + struct.pack(">H", len(payload) + 2) + payload + image[at:]
    return _add_to_webp(image, box)


def read_manifest(image: bytes) -> bytes | None:
    """Return the manifest of a PNG, JPEG or WebP file; None if missing."""
    at = image.find(b"jumb") - 4
    if at < 0:
        return None
    size = int.from_bytes(image[at : at + 4], "big")
    before = image[:at]
    in_place = before.endswith((b"caBX", _JPEG_PREFIX)) or before[-8:-4] == b"C2PA"
    box = image[at : at + size]
    return box if in_place and len(box) == size else None


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _add_to_webp(image: bytes, box: bytes) -> bytes:
    """Append a C2PA chunk; it needs the extended file format."""
    body = image[_RIFF_HEADER_BYTES:]
    if not body.startswith(b"VP8X"):
        body = _extended_header(body) + body
    body += _riff_chunk(b"C2PA", box)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _extended_header(body: bytes) -> bytes:
    if body.startswith(b"VP8L"):
        bits = int.from_bytes(body[9:13], "little")
        width, height, flags = bits & 0x3FFF, bits >> 14 & 0x3FFF, _ALPHA_FLAG if bits >> 28 & 1 else 0
    else:
        width, height = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (14, 16))
        width, height, flags = width - 1, height - 1, 0
    payload = bytes([flags, 0, 0, 0]) + width.to_bytes(3, "little") + height.to_bytes(3, "little")
    return _riff_chunk(b"VP8X", payload)


def _riff_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
