"""Provenance marks in image files, edited chunk by chunk.

Pixels are never decoded here. Pieces that are not understood stay byte for byte, in their order. A file that does not
fit its format's rules is returned as it is.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from html import escape
from typing import Final

from bot.domain.provenance import Mark

MAX_PACKET_BYTES: Final = 4096
"""Bytes that a mark adds to a file at most."""

_SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_MODEL: Final = "<Iptc4xmpExt:AISystemUsed>{model}</Iptc4xmpExt:AISystemUsed>"
_PACKET: Final = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    "<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>"
    "{model}"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="r"?>'
)
_PACKET_START: Final = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta'.encode()
_PACKET_END: Final = b'<?xpacket end="r"?>'
_LONGEST_MODEL: Final = 200

# The type of the JUMBF box that holds all manifests of a file, in each format.
_C2PA_BOX: Final = bytes.fromhex("6332706100110010800000aa00389b71")
_SOURCE_PROPERTY: Final = b"DigitalSourceType"

# As for members' files: far more than encoders write.
_MOST_PIECES: Final = 50_000

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_FRAME_BYTES: Final = 12
_PNG_IHDR: Final = b"\x00\x00\x00\x0dIHDR"
_PNG_IHDR_END: Final = len(_PNG_SIGNATURE) + _PNG_FRAME_BYTES + 13
_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PNG_PIXELS: Final = frozenset({b"IDAT", b"fdAT", b"DDAT"})
_PNG_XMP: Final = b"XML:com.adobe.xmp"
_LONGEST_KEYWORD: Final = 79
_PROMPT_KEYWORDS: Final = frozenset({b"prompt", b"workflow", b"parameters"})

_SOI: Final = b"\xff\xd8"
_SOS: Final = 0xDA
_APP0, _APP1 = 0xE0, 0xE1
_JPEG_XMP: Final = b"http://ns.adobe.com/xap/1.0/\x00"
_EXIF: Final = b"Exif\x00\x00"
_LONGEST_SEGMENT: Final = 0xFFFF

_RIFF_HEADER_BYTES: Final = 12
_CHUNK_HEADER_BYTES: Final = 8
_VP8X_BYTES: Final = 10
_VP8_HEADER_BYTES: Final = 10
_VP8_START: Final = b"\x9d\x01\x2a"
_VP8L_HEADER_BYTES: Final = 5
_VP8L_START: Final = 0x2F
_WEBP_XMP_FLAG: Final = 0x04
_WEBP_ALPHA_FLAG: Final = 0x10
_SIDE_MASK: Final = 0x3FFF
_MAX_RIFF_BYTES: Final = 0xFFFF_FFF6


def build_packet(mark: Mark) -> bytes:
    """Return a mark as an XMP packet, the same for the same mark.

    `AISystemUsed` is IPTC's property for the model (Photo Metadata Standard 2025.1).
    """
    name = "".join(character for character in (mark.model or "")[:_LONGEST_MODEL] if character.isprintable())
    model = _MODEL.format(model=escape(name, quote=False)) if name else ""
    return _PACKET.format(source=_SOURCE_TYPES + mark.source, model=model).encode()


def is_marked(data: bytes, media_type: str) -> bool:
    """Return whether a file has provenance data or any XMP packet.

    A C2PA manifest signs the file's bytes: writing anything would break its signature. A file has one XMP packet at
    most, so a foreign one leaves no room for another.
    """
    if _C2PA_BOX in data or _SOURCE_PROPERTY in data:
        return True
    found = _HAS_XMP.get(media_type)
    return found is not None and found(data)


def add_packet(data: bytes, media_type: str, packet: bytes) -> bytes:
    """Return the file with an XMP packet; the pixels stay as they are encoded.

    Return the file as it is if there is no safe place.
    """
    add = _ADD_XMP.get(media_type)
    if add is None or len(packet) > MAX_PACKET_BYTES:
        return data
    try:
        return add(data, packet)
    except (struct.error, IndexError):
        return data


def own_packet(data: bytes) -> bytes | None:
    """Return the file's XMP packet by `build_packet`, or None."""
    begin = data.find(_PACKET_START)
    if begin < 0:
        return None
    end = data.find(_PACKET_END, begin, begin + MAX_PACKET_BYTES)
    packet = data[begin : end + len(_PACKET_END)] if end >= 0 else b""
    return packet if _SOURCE_PROPERTY in packet else None


def remove_prompts(data: bytes, media_type: str) -> bytes:
    """Return a PNG without the prompts of image generators.

    They are the text chunks `prompt` and `workflow` of ComfyUI and `parameters` of A1111. All else stays. So does such
    a chunk amid the pixels' chunks: without it, a decoder might read on where it stopped.
    """
    if media_type != "image/png":
        return data
    kept, before, chunks = bytearray(data[: len(_PNG_SIGNATURE)]), b"", list(_png_chunks(data))
    end = len(_PNG_SIGNATURE)
    for number, (name, begin, end) in enumerate(chunks):
        after = chunks[number + 1][0] if number + 1 < len(chunks) else b""
        amid = before in _PNG_PIXELS and after in _PNG_PIXELS
        if name not in _PNG_TEXTS or amid or _keyword(data, begin, end) not in _PROMPT_KEYWORDS:
            kept += data[begin:end]
            before = name
    kept += data[end:]
    return bytes(kept) if len(kept) < len(data) else data


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, begin and end of each chunk, up to a broken one."""
    at = len(_PNG_SIGNATURE)
    for _ in range(_MOST_PIECES):
        if at + _PNG_FRAME_BYTES > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + _PNG_FRAME_BYTES + length
        if end > len(data):
            return
        yield name, at, end
        if name == b"IEND":
            return
        at = end


def _keyword(data: bytes, begin: int, end: int) -> bytes:
    text = data[begin + 8 : min(end - 4, begin + 8 + _LONGEST_KEYWORD + 1)]
    return text.partition(b"\x00")[0]


def _png_has_xmp(data: bytes) -> bool:
    return any(name == b"iTXt" and _keyword(data, begin, end) == _PNG_XMP for name, begin, end in _png_chunks(data))


def _add_to_png(data: bytes, packet: bytes) -> bytes:
    if not data.startswith(_PNG_SIGNATURE + _PNG_IHDR) or len(data) < _PNG_IHDR_END:
        return data
    # Uncompressed, without a language.
    body = b"iTXt" + _PNG_XMP + bytes(5) + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_PNG_IHDR_END] + chunk + data[_PNG_IHDR_END:]


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, begin and end of each segment before the scans.

    Stop at a segment that does not directly follow the one before.
    """
    at = len(_SOI)
    for _ in range(_MOST_PIECES):
        if at + 4 > len(data) or data[at] != 0xFF:  # noqa: PLR2004 - each marker begins with FF
            return
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        end = at + 2 + length
        if marker < 0xC0 or marker in range(0xD0, 0xDB) or marker == 0xFF or length < 2 or end > len(data):  # noqa: PLR2004 - markers of the format
            return  # a marker without a length, a scan, or broken
        yield marker, at, end
        at = end


def _jpeg_has_xmp(data: bytes) -> bool:
    return any(marker == _APP1 and data.startswith(_JPEG_XMP, begin + 4) for marker, begin, _ in _jpeg_segments(data))


def _add_to_jpeg(data: bytes, packet: bytes) -> bytes:
    if not data.startswith(_SOI + b"\xff"):
        return data
    at = len(_SOI)
    for marker, begin, end in _jpeg_segments(data):
        # Readers expect JFIF and EXIF first.
        if marker != _APP0 and not (marker == _APP1 and data.startswith(_EXIF, begin + 4)):
            break
        at = end
    body = _JPEG_XMP + packet
    if data[at : at + 1] != b"\xff" or len(body) + 2 > _LONGEST_SEGMENT:
        return data
    return data[:at] + struct.pack(">BBH", 0xFF, _APP1, len(body) + 2) + body + data[at:]


def _webp_chunks(data: bytes) -> list[tuple[bytes, int, int]] | None:
    """Return the name, begin and end of all chunks.

    None if they do not fill the file's RIFF exactly.
    """
    if len(data) < _RIFF_HEADER_BYTES or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    end_of_all = 8 + int.from_bytes(data[4:8], "little")
    chunks: list[tuple[bytes, int, int]] = []
    at = _RIFF_HEADER_BYTES
    while at < end_of_all and len(chunks) < _MOST_PIECES:
        if at + _CHUNK_HEADER_BYTES > len(data):
            return None
        name, length = struct.unpack_from("<4sI", data, at)
        end = at + _CHUNK_HEADER_BYTES + length + length % 2
        chunks.append((name, at, end))
        at = end
    return chunks if chunks and at == end_of_all <= len(data) else None


def _webp_has_xmp(data: bytes) -> bool:
    return any(name == b"XMP " for name, _, _ in _webp_chunks(data) or ())


def _add_to_webp(data: bytes, packet: bytes) -> bytes:
    chunks = _webp_chunks(data)
    if chunks is None:
        return data
    name, begin, end = chunks[0]
    content = data[begin + _CHUNK_HEADER_BYTES : end]
    if name == b"VP8X":
        header = bytearray(content)
        if len(header) < _VP8X_BYTES:
            return data
        header[0] |= _WEBP_XMP_FLAG
        images = data[end : chunks[-1][2]]
    else:
        # Chunks after a plain image are no part of it, but would be of an extended one.
        extended = _extended_header(name, content) if len(chunks) == 1 else None
        if extended is None:
            return data
        header, images = extended, data[begin:end]
    body = b"WEBP" + _riff_chunk(b"VP8X", bytes(header)) + images + _riff_chunk(b"XMP ", packet)
    if len(body) > _MAX_RIFF_BYTES:
        return data
    return b"RIFF" + struct.pack("<I", len(body)) + body + data[chunks[-1][2] :]


def _extended_header(name: bytes, content: bytes) -> bytearray | None:
    """Return the header of a plain WebP as an extended one, or None."""
    if name == b"VP8L" and len(content) >= _VP8L_HEADER_BYTES and content[0] == _VP8L_START:
        bits = int.from_bytes(content[1:5], "little")
        width, height, alpha = (bits & _SIDE_MASK) + 1, (bits >> 14 & _SIDE_MASK) + 1, bits >> 28 & 1
    elif name == b"VP8 " and len(content) >= _VP8_HEADER_BYTES and content[3:6] == _VP8_START:
        width, height = (int.from_bytes(content[at : at + 2], "little") & _SIDE_MASK for at in (6, 8))
        alpha = 0
    else:
        return None
    if not width or not height:
        return None
    flags = _WEBP_XMP_FLAG | (_WEBP_ALPHA_FLAG if alpha else 0)
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytearray(bytes([flags, 0, 0, 0]) + sides)


def _riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


_HAS_XMP: Final[dict[str, Callable[[bytes], bool]]] = {
    "image/png": _png_has_xmp,
    "image/jpeg": _jpeg_has_xmp,
    "image/webp": _webp_has_xmp,
}
_ADD_XMP: Final[dict[str, Callable[[bytes, bytes], bytes]]] = {
    "image/png": _add_to_png,
    "image/jpeg": _add_to_jpeg,
    "image/webp": _add_to_webp,
}
