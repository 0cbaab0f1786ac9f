import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from bot.domain.errors import ImageError, ImageProblem
from bot.images.decode import inspect, load_first_frame
from tests.images.samples import encoded, noise
from tests.images.test_sanitize import with_many_notes, with_many_pieces, with_many_scans


def with_many_texts(texts: int) -> bytes:
    """Return a PNG with empty texts before its pixels."""
    content = encoded(noise())
    text = struct.pack(">I", 2) + b"tEXta\0" + struct.pack(">I", zlib.crc32(b"tEXta\0"))
    return content[:33] + text * texts + content[33:]


def with_many_unknown_chunks(chunks: int) -> bytes:
    """Return a WebP with unknown chunks."""
    content = encoded(noise(), "WEBP")
    body = content[8:] + (b"JUNK" + bytes(4)) * chunks
    return b"RIFF" + struct.pack("<I", len(body)) + body


def misfitting(jpeg: bytes) -> bytes:
    """Return a JPEG with a first segment shorter than its length."""
    return jpeg[:2] + b"\xff\xe1\x00\x04a" + jpeg[2:]


HOSTILE = {
    "scans": lambda: with_many_scans(100),
    "scans after a wrong length": lambda: misfitting(with_many_scans(100)),
    "pieces of a JPEG": lambda: with_many_pieces(60_000),
    "pieces of a GIF": lambda: with_many_notes(60_000),
    "texts of a PNG": lambda: with_many_texts(60_000),
    "chunks of a WebP": lambda: with_many_unknown_chunks(60_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_result_of_too_many_pieces_is_too_large(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(ImageError) as caught:
        inspect(path)
    assert (caught.value.problem, caught.value.detail) in [
        (ImageProblem.TOO_LARGE, "pieces"),
        (ImageProblem.TOO_LARGE, "scans"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        with_many_scans(20),
        with_many_texts(100),
        with_many_unknown_chunks(100),
        encoded(noise(size=(600, 400)), "JPEG", progressive=True),
        # Appended data, such as a phone's film, is no part of the picture.
        encoded(noise(), "JPEG") + b"\xff\xda" * 1_000,
    ],
)
def test_result_of_usual_pieces_is_accepted(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    assert inspect(path).size == len(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [True, False])
def test_first_frame_of_webp_equals_pillows(mode: str, lossless: bool) -> None:
    """The shorter way to it is not public, so a new Pillow could change it."""
    data = encoded(noise(mode), "WEBP", lossless=lossless, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    frame = load_first_frame(Image.open(BytesIO(data)))
    expected = Image.open(BytesIO(data))
    assert (frame.mode, frame.size, frame.info["exif"]) == (expected.mode, expected.size, expected.info["exif"])
    assert frame.tobytes() == expected.tobytes()
    assert (
        frame.transpose(Image.Transpose.ROTATE_90).tobytes() == expected.transpose(Image.Transpose.ROTATE_90).tobytes()
    )
