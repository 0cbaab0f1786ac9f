"""Sanitized input images: same pixels, one frame, upright, no metadata."""

import contextlib
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from bot.domain.errors import ImageError, ImageProblem
from bot.images.sanitize import SanitizedImage, sanitize
from bot.images.strip_metadata import strip_metadata
from tests.images.samples import encoded, noise
from tests.support.image_server import a_photo, animated, bomb, drawn

SECRET = b"51.5007 N"
FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
ALL_FORMATS = FORMATS | {"GIF": "image/gif"}


def exif(orientation: int = 1) -> Image.Exif:
    """Return a phone's EXIF data."""
    notes = Image.Exif()
    notes[0x0112] = orientation
    notes[0x010F] = SECRET.decode()
    notes.get_ifd(0x8825)[1] = "N"
    return notes


def taken(folder: Path, content: bytes) -> tuple[SanitizedImage, bytes]:
    """Sanitize a file and return the result with its bytes."""
    path = folder / "given"
    path.write_bytes(content)
    return sanitize(path), path.read_bytes()


def pixels(content: bytes) -> bytes:
    """Return the encoded pixel data of an image."""
    with Image.open(BytesIO(content)) as image:
        return image.convert("RGBA").tobytes()


@pytest.mark.parametrize("file_format", FORMATS)
def test_metadata_is_removed_and_pixel_data_kept(tmp_path: Path, file_format: str) -> None:
    """Bit for bit: nothing is re-encoded for metadata alone."""
    options: dict[str, Any] = {"exif": exif(), "xmp": b"<x:xmpmeta>" + SECRET} | (
        {"comment": SECRET, "progressive": True} if file_format == "JPEG" else {}
    )
    content = encoded(noise(), file_format, **options)
    assert SECRET in content
    sanitized, bare = taken(tmp_path, content)
    assert SECRET not in bare
    assert pixels(bare) == pixels(content)
    assert not sanitized.converted
    assert (sanitized.file.media_type, sanitized.file.size) == (FORMATS[file_format], len(bare))


def test_png_keeps_transparency_and_profile(tmp_path: Path) -> None:
    """Text goes; transparency and colour profile stay."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", SECRET.decode())
    notes.add_itxt("Comment", SECRET.decode(), zip=True)
    content = encoded(noise("RGBA"), "PNG", pnginfo=notes, icc_profile=b"a profile", dpi=(300, 300))
    _, bare = taken(tmp_path, content)
    with Image.open(BytesIO(bare)) as image:
        assert image.mode == "RGBA"
        assert set(image.info) == {"icc_profile", "dpi"}
    assert pixels(bare) == pixels(content)


def test_trailing_data_is_removed(tmp_path: Path) -> None:
    """Phones append a video or a second photo with its metadata."""
    behind = encoded(noise(seed=2), "JPEG", exif=exif())
    _, bare = taken(tmp_path, encoded(noise(), "JPEG") + behind)
    assert SECRET not in bare
    assert bare.endswith(b"\xff\xd9")
    assert bare.count(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotation_is_applied(tmp_path: Path, file_format: str, orientation: int) -> None:
    """The provider sees the image as viewers show it."""
    content = encoded(Image.open(BytesIO(drawn())), file_format, exif=exif(orientation))
    sanitized, upright = taken(tmp_path, content)
    with Image.open(BytesIO(content)) as before, Image.open(BytesIO(upright)) as after:
        seen = ImageOps.exif_transpose(before).convert("RGB")
        assert (after.size, dict(after.getexif())) == (seen.size, {})
        assert (sanitized.file.width, sanitized.file.height) == seen.size
        for corner in ((2, 2), (seen.width - 3, 2), (2, seen.height - 3)):
            near = zip(seen.getpixel(corner), after.convert("RGB").getpixel(corner), strict=True)  # type: ignore[arg-type]
            assert all(abs(one - other) < 24 for one, other in near)
    assert SECRET not in upright
    assert not sanitized.converted


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_animation_becomes_first_frame(tmp_path: Path, file_format: str) -> None:
    """As PNG."""
    sanitized, still = taken(tmp_path, animated(file_format))
    with Image.open(BytesIO(still)) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("PNG", 1)
    assert sanitized.converted
    red, green, *_ = pixels(still)
    assert red > 200
    assert green < 60


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (bomb(), ImageProblem.TOO_LARGE),
        (drawn(size=(8193, 16)), ImageProblem.TOO_LARGE),
        (drawn(size=(1, 1)), ImageProblem.TOO_SMALL),
        (drawn(size=(200, 15)), ImageProblem.TOO_SMALL),
        (b"%PDF-1.7", ImageProblem.NOT_A_PICTURE),
        (b"", ImageProblem.NOT_A_PICTURE),
        (drawn("JPEG")[:-20], ImageProblem.TRUNCATED),
        (drawn("WEBP")[:-20], ImageProblem.TRUNCATED),
    ],
)
def test_unusable_file_is_rejected(tmp_path: Path, content: bytes, problem: ImageProblem) -> None:
    """By content, not by name."""
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, content)
    assert refusal.value.problem is problem


def with_many_scans(scans: int) -> bytes:
    """Return a JPEG with extra scans: the last one repeated, a few bytes each."""
    content = encoded(Image.new("RGB", (512, 512), "grey"), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + content[-2:]


def with_many_pieces(pieces: int) -> bytes:
    """Return a PNG with empty chunks before its pixels."""
    content = drawn()
    pixels_at = content.index(b"IDAT") - 4
    empty = b"\x00\x00\x00\x00IDAT" + zlib.crc32(b"IDAT").to_bytes(4)
    return content[:pixels_at] + empty * pieces + content[pixels_at:]


def with_many_notes(notes: int) -> bytes:
    """Return a GIF with comments before its first frame."""
    content = drawn("GIF")
    frame_at = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:frame_at] + b"\x21\xfe\x01a\x00" * notes + content[frame_at:]


@pytest.mark.parametrize("content", [with_many_scans(100), with_many_pieces(60_000), with_many_notes(60_000)])
def test_small_expensive_file_is_rejected_undecoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Each scan goes over all pixels."""
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, content)
    assert refusal.value.problem is ImageProblem.TOO_LARGE


def test_jpeg_with_usual_scans_is_accepted(tmp_path: Path) -> None:
    assert taken(tmp_path, with_many_scans(20))[0].file.media_type == "image/jpeg"


def test_animation_with_one_frame_is_accepted(tmp_path: Path) -> None:
    """Some encoders write stills this way."""
    still = encoded(Image.new("RGB", (64, 48), "red"), "WEBP", lossless=True)[12:]
    sides = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    frame = bytes(6) + sides + bytes(4) + still
    body = b"WEBP" + b"".join(
        name + len(piece).to_bytes(4, "little") + piece
        for name, piece in ((b"VP8X", b"\x02\x00\x00\x00" + sides), (b"ANIM", bytes(6)), (b"ANMF", frame))
    )
    _, file = taken(tmp_path, b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert pixels(file)[:4] == b"\xff\x00\x00\xff"


def test_rotation_keeps_transparency(tmp_path: Path) -> None:
    """Palette transparency too."""
    image = Image.new("P", (64, 48), 0)
    image.putpalette([255, 0, 0])
    _, upright = taken(tmp_path, encoded(image, "PNG", exif=exif(6), transparency=0))
    assert pixels(upright)[:4] == b"\xff\x00\x00\x00"


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg"])
def test_real_photo_keeps_pixels(tmp_path: Path, name: str) -> None:
    """From cameras and editors."""
    photo = a_photo(name)
    sanitized, bare = taken(tmp_path, photo)
    assert pixels(bare) == pixels(photo)
    assert not sanitized.converted


@settings(max_examples=300)
@given(st.sampled_from(list(ALL_FORMATS)), st.data())
def test_mutated_file_is_sanitized_or_rejected(file_format: str, data: st.DataObject) -> None:
    """Sanitizing ends with a file or a problem."""
    content = bytearray(
        encoded(noise(size=(16, 16)), file_format, **({} if file_format == "GIF" else {"exif": exif()}))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    with contextlib.suppress(ImageError):
        assert isinstance(strip_metadata(bytes(content[:cut]), ALL_FORMATS[file_format]).data, bytes)
