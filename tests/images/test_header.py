from pathlib import Path

import pytest

from bot.domain.attachments import MAX_PIXELS
from bot.images.header import estimate_memory
from tests.images.samples import encoded, noise

UNKNOWN = 16 * MAX_PIXELS


def estimated(path: Path, data: bytes) -> int:
    """Return the estimate without the copies of the file."""
    path.write_bytes(data)
    return estimate_memory(path) - 4 * len(data)


@pytest.mark.parametrize(
    ("file_format", "options", "bytes_per_pixel"),
    [
        ("PNG", {}, 8),
        ("GIF", {}, 12),
        ("JPEG", {}, 10),
        ("JPEG", {"progressive": True, "exif": b"Exif\0\0" + bytes(3_000)}, 10),
        ("WEBP", {}, 16),
        ("WEBP", {"lossless": True}, 16),
        ("WEBP", {"exif": b"Exif\0\0" + bytes(30)}, 16),
    ],
)
def test_estimate_follows_pixels_of_header(
    tmp_path: Path, file_format: str, options: dict[str, object], bytes_per_pixel: int
) -> None:
    data = encoded(noise(size=(120, 50)), file_format, **options)
    assert estimated(tmp_path / "a", data) == 120 * 50 * bytes_per_pixel


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xda\0\2",
        b"\xff\xd8" + b"\xff\xe1\0\2" * 2_000,
        encoded(noise(), "JPEG")[:100],
    ],
)
def test_unknown_header_counts_as_largest_input(tmp_path: Path, data: bytes) -> None:
    assert estimated(tmp_path / "a", data) == UNKNOWN
