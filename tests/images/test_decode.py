import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL import ImageFile as PillowImageFile

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.images.decode import DEFAULT_LIMITS, ImageLimits, inspect, pillow_faults
from tests.images.samples import encoded, noise


def problem_of(path: Path, data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageProblem:
    """Return why a file of these bytes is no picture."""
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        inspect(path, limits)
    return caught.value.problem


def png_of(width: int, height: int) -> bytes:
    """Return a tiny PNG whose header announces any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("file_format", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
)
def test_a_picture_is_described(tmp_path: Path, file_format: str, media_type: str) -> None:
    """The four formats are told by their content, whatever the file is called."""
    path = tmp_path / "anything.txt"
    data = encoded(noise(), file_format)
    path.write_bytes(data)

    sha256 = hashlib.sha256(data).hexdigest()
    expected = ImageFile(sha256=sha256, media_type=media_type, width=64, height=48, size=len(data))
    assert expected == inspect(path)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_any_colour_mode_of_png_decodes(tmp_path: Path, mode: str) -> None:
    """Bilevel, grey, palette, transparent and 16-bit PNGs are pictures too."""
    path = tmp_path / "a"
    path.write_bytes(encoded(Image.new(mode, (5, 7))))

    assert (inspect(path).width, inspect(path).height) == (5, 7)


def test_a_jpeg_of_a_printer_decodes(tmp_path: Path) -> None:
    """A CMYK JPEG is a picture."""
    path = tmp_path / "a"
    path.write_bytes(encoded(noise("CMYK"), "JPEG"))

    assert inspect(path).media_type == "image/jpeg"


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_the_frames_of_an_animation_are_counted(tmp_path: Path, file_format: str) -> None:
    """Every frame is decoded, and counts."""
    path = tmp_path / "a"
    frames = [noise(seed=seed) for seed in range(3)]
    path.write_bytes(encoded(frames[0], file_format, save_all=True, append_images=frames[1:]))

    inspect(path)
    assert problem_of(path, path.read_bytes(), ImageLimits(max_frames=2)) == ImageProblem.TOO_LARGE
    assert problem_of(path, path.read_bytes(), ImageLimits(max_total_pixels=2 * 64 * 48)) == ImageProblem.TOO_LARGE
    inspect(path, ImageLimits(max_frames=3, max_total_pixels=3 * 64 * 48))


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
    ],
)
@pytest.mark.parametrize("part", [0.5, 0.95])
def test_a_truncated_picture_is_noticed(tmp_path: Path, file_format: str, options: dict[str, Any], part: float) -> None:
    """A file that ends too early has a good header, so only the complete decode tells."""
    data = encoded(noise(size=(200, 200)), file_format, **options)

    assert problem_of(tmp_path / "a", data[: int(len(data) * part)]) == ImageProblem.TRUNCATED
    assert not PillowImageFile.LOAD_TRUNCATED_IMAGES


def test_a_truncated_animation_is_noticed(tmp_path: Path) -> None:
    """The first frame being whole is not enough."""
    frames = [noise(size=(100, 100), seed=seed) for seed in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert problem_of(tmp_path / "a", data[: len(data) * 5 // 6]) == ImageProblem.TRUNCATED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello, I am text",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        encoded(noise(), "BMP"),
        encoded(noise(), "TIFF"),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xd8\xff" + bytes(100),
        b"GIF89a" + bytes(2),
        b"RIFF\x08\0\0\0WEBP" + bytes(100),
        b"RIFF\x08\0\0\0WAVE" + bytes(100),
    ],
)
def test_anything_else_is_not_a_picture(tmp_path: Path, data: bytes) -> None:
    """Other formats, and files that only begin like a picture, are none."""
    assert problem_of(tmp_path / "a", data) == ImageProblem.NOT_A_PICTURE


def test_broken_pixels_are_not_a_picture(tmp_path: Path) -> None:
    """A header in order with garbage behind it does not decode."""
    data = bytearray(encoded(noise(size=(200, 200))))
    data[200:4000] = bytes(3800)

    assert problem_of(tmp_path / "a", bytes(data)) == ImageProblem.NOT_A_PICTURE


@pytest.mark.parametrize(
    ("width", "height"), [(50_000, 50_000), (10_000, 10_000), (9_000, 9_000), (16_385, 1), (1, 2**31 - 1)]
)
def test_a_bomb_is_refused_from_its_header(tmp_path: Path, width: int, height: int) -> None:
    """Sizes beyond the limits are too large whether or not Pillow has an opinion; nothing is decoded for it."""
    before = Image.MAX_IMAGE_PIXELS

    assert problem_of(tmp_path / "a", png_of(width, height)) == ImageProblem.TOO_LARGE
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_webp_bomb_is_refused(tmp_path: Path) -> None:
    """A canvas of 16,383 pixels a side in a few bytes of WebP is too large."""
    side = (16_383 - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + side + side
    data = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body

    assert problem_of(tmp_path / "a", data) == ImageProblem.TOO_LARGE


def test_a_header_that_promises_more_than_the_file_holds_is_truncated(tmp_path: Path) -> None:
    """A size within the limits with next to no pixels is a truncated picture."""
    assert problem_of(tmp_path / "a", png_of(100, 100)) == ImageProblem.TRUNCATED


def test_a_file_over_the_limit_is_not_opened(tmp_path: Path) -> None:
    """The bytes are counted first."""
    assert problem_of(tmp_path / "a", encoded(noise()), ImageLimits(max_bytes=100)) == ImageProblem.TOO_LARGE


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """Trouble with the disk is not blamed on the picture."""
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "nowhere")


def test_a_failing_disk_is_not_the_pictures_fault() -> None:
    """An error that the operating system numbers passes through the decoder unchanged."""
    with pytest.raises(OSError, match="Input/output error"), pillow_faults():
        raise OSError(5, "Input/output error")
