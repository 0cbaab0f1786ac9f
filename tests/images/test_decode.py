import hashlib
import random
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL import ImageFile as PillowImageFile

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.images.decode import inspect, pillow_faults
from bot.images.decoder_values import DEFAULT_LIMITS, ImageLimits
from tests.images.samples import encoded, noise


def problem_of(path: Path, data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageProblem:
    """Return the problem of a file with these bytes."""
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        inspect(path, limits)
    return caught.value.problem


def png_of(width: int, height: int) -> bytes:
    """Return a tiny PNG with any size in its header."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("file_format", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
)
def test_image_format_is_detected_by_content(tmp_path: Path, file_format: str, media_type: str) -> None:
    """By the content, never by the file name."""
    path = tmp_path / "anything.txt"
    data = encoded(noise(), file_format)
    path.write_bytes(data)

    sha256 = hashlib.sha256(data).hexdigest()
    expected = ImageFile(sha256=sha256, media_type=media_type, width=64, height=48, size=len(data))
    found = inspect(path)
    assert found == replace(expected, fingerprint=found.fingerprint)
    assert found.fingerprint is not None


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_png_of_any_colour_mode_decodes(tmp_path: Path, mode: str) -> None:
    """Bilevel, grey, palette, transparent and 16-bit."""
    path = tmp_path / "a"
    path.write_bytes(encoded(Image.new(mode, (5, 7))))

    assert (inspect(path).width, inspect(path).height) == (5, 7)


def test_cmyk_jpeg_decodes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(noise("CMYK"), "JPEG"))

    assert inspect(path).media_type == "image/jpeg"


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_animation_frames_are_counted(tmp_path: Path, file_format: str) -> None:
    """Every frame is decoded."""
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
def test_truncated_image_is_detected(tmp_path: Path, file_format: str, options: dict[str, Any], part: float) -> None:
    """The header is intact; only the complete decode finds it."""
    data = encoded(noise(size=(200, 200)), file_format, **options)

    assert problem_of(tmp_path / "a", data[: int(len(data) * part)]) == ImageProblem.TRUNCATED
    assert not PillowImageFile.LOAD_TRUNCATED_IMAGES


def test_truncated_animation_is_detected(tmp_path: Path) -> None:
    """Its first frame is complete."""
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
def test_other_file_is_not_an_image(tmp_path: Path, data: bytes) -> None:
    """Other formats, and files with an image header only."""
    assert problem_of(tmp_path / "a", data) == ImageProblem.NOT_A_PICTURE


def test_broken_pixel_data_is_not_an_image(tmp_path: Path) -> None:
    """Garbage after a valid header."""
    data = bytearray(encoded(noise(size=(200, 200))))
    data[200:4000] = bytes(3800)

    assert problem_of(tmp_path / "a", bytes(data)) == ImageProblem.NOT_A_PICTURE


@pytest.mark.parametrize(
    ("width", "height"), [(50_000, 50_000), (10_000, 10_000), (9_000, 9_000), (16_385, 1), (1, 2**31 - 1)]
)
def test_oversized_image_is_rejected_by_header(tmp_path: Path, width: int, height: int) -> None:
    """Nothing is decoded, with or without a warning of Pillow."""
    before = Image.MAX_IMAGE_PIXELS

    assert problem_of(tmp_path / "a", png_of(width, height)) == ImageProblem.TOO_LARGE
    assert before == Image.MAX_IMAGE_PIXELS


def test_webp_bomb_is_rejected(tmp_path: Path) -> None:
    """A canvas of 16,383 pixels per side in a few bytes."""
    side = (16_383 - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + side + side
    data = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body

    assert problem_of(tmp_path / "a", data) == ImageProblem.TOO_LARGE


def test_header_with_too_few_pixels_is_truncated(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "a", png_of(100, 100)) == ImageProblem.TRUNCATED


def test_file_over_byte_limit_is_not_opened(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "a", encoded(noise()), ImageLimits(max_bytes=100)) == ImageProblem.TOO_LARGE


def test_missing_file_raises_os_error(tmp_path: Path) -> None:
    """A disk fault is not a fault of the image."""
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "nowhere")


def test_disk_error_passes_through_decoder() -> None:
    """An OSError with errno passes through the decoder unchanged."""
    with pytest.raises(OSError, match="Input/output error"), pillow_faults():
        raise OSError(5, "Input/output error")


def mutated(data: bytes, rnd: random.Random) -> bytes:
    """Return a file with a fault: bytes changed, lost, repeated or cut off."""
    broken, at = bytearray(data), rnd.randrange(2, len(data))
    match rnd.randrange(4):
        case 0:
            for _ in range(rnd.randrange(1, 4)):
                broken[rnd.randrange(2, len(data))] = rnd.randrange(256)
        case 1:
            del broken[at : at + rnd.randrange(1, 40)]
        case 2:
            broken[at:at] = broken[at : at + rnd.randrange(1, 40)]
        case _:
            del broken[at:]
    return bytes(broken)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_decoded_at_a_fraction_is_checked_as_strictly(tmp_path: Path, progressive: bool) -> None:
    """A fault that Pillow finds when it decodes all pixels is found."""
    path, rnd, refused = tmp_path / "a", random.Random(7), 0  # noqa: S311 - reproducible faults
    picture = encoded(noise(size=(32, 32)).resize((1024, 1024)), "JPEG", quality=30, progressive=progressive)
    for _ in range(300):
        path.write_bytes(mutated(picture, rnd))
        try:
            with pillow_faults(), Image.open(path, formats=["JPEG"]) as image:
                image.load()
        except ImageError:
            refused += 1
            with pytest.raises(ImageError):
                inspect(path)
    assert refused > 50
