"""What becomes of a picture that a member gives: the same pixels, one frame, upright, and nothing else in the file."""

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
    """Return what a phone writes into a photo."""
    notes = Image.Exif()
    notes[0x0112] = orientation
    notes[0x010F] = SECRET.decode()
    notes.get_ifd(0x8825)[1] = "N"
    return notes


def taken(folder: Path, content: bytes) -> tuple[SanitizedImage, bytes]:
    """Take a file in, and return what it is now."""
    path = folder / "given"
    path.write_bytes(content)
    return sanitize(path), path.read_bytes()


def pixels(content: bytes) -> bytes:
    """Return a picture's pixels as they are encoded."""
    with Image.open(BytesIO(content)) as image:
        return image.convert("RGBA").tobytes()


@pytest.mark.parametrize("file_format", FORMATS)
def test_notes_go_and_pixels_stay(tmp_path: Path, file_format: str) -> None:
    """To the bit: nothing is encoded anew where only notes are in the way."""
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


def test_what_stands_in_a_png_beside_its_notes_stays(tmp_path: Path) -> None:
    """Text goes, transparency and the profile stay."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", SECRET.decode())
    notes.add_itxt("Comment", SECRET.decode(), zip=True)
    content = encoded(noise("RGBA"), "PNG", pnginfo=notes, icc_profile=b"a profile", dpi=(300, 300))
    _, bare = taken(tmp_path, content)
    with Image.open(BytesIO(bare)) as image:
        assert image.mode == "RGBA"
        assert set(image.info) == {"icc_profile", "dpi"}
    assert pixels(bare) == pixels(content)


def test_what_follows_the_picture_goes(tmp_path: Path) -> None:
    """Phones put a film, or a second photo with its own notes, behind the first."""
    behind = encoded(noise(seed=2), "JPEG", exif=exif())
    _, bare = taken(tmp_path, encoded(noise(), "JPEG") + behind)
    assert SECRET not in bare
    assert bare.endswith(b"\xff\xd9")
    assert bare.count(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("orientation", range(2, 9))
def test_what_lies_on_its_side_is_turned(tmp_path: Path, file_format: str, orientation: int) -> None:
    """As every viewer turns it, so that the provider sees what the member saw."""
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
def test_an_animation_becomes_its_first_frame(tmp_path: Path, file_format: str) -> None:
    """As a PNG, whatever it was."""
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
def test_what_is_no_use_is_refused(tmp_path: Path, content: bytes, problem: ImageProblem) -> None:
    """By what it is, not by what it is called."""
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, content)
    assert refusal.value.problem is problem


def with_many_scans(scans: int) -> bytes:
    """Return a JPEG that goes over its pixels so many times more: the last scan again and again, a few bytes each."""
    content = encoded(Image.new("RGB", (512, 512), "grey"), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + content[-2:]


def with_many_pieces(pieces: int) -> bytes:
    """Return a PNG with so many empty pieces before its pixels."""
    content = drawn()
    pixels_at = content.index(b"IDAT") - 4
    empty = b"\x00\x00\x00\x00IDAT" + zlib.crc32(b"IDAT").to_bytes(4)
    return content[:pixels_at] + empty * pieces + content[pixels_at:]


def with_many_notes(notes: int) -> bytes:
    """Return a GIF with so many comments before its first frame."""
    content = drawn("GIF")
    frame_at = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:frame_at] + b"\x21\xfe\x01a\x00" * notes + content[frame_at:]


@pytest.mark.parametrize("content", [with_many_scans(100), with_many_pieces(60_000), with_many_notes(60_000)])
def test_a_small_file_that_would_take_hours_is_refused_undecoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Two such would keep everybody's finished pictures waiting: each scan goes over all pixels."""
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, content)
    assert refusal.value.problem is ImageProblem.TOO_LARGE


def test_a_jpeg_of_as_many_scans_as_encoders_write_is_taken(tmp_path: Path) -> None:
    """And a few more."""
    assert taken(tmp_path, with_many_scans(20))[0].file.media_type == "image/jpeg"


def test_an_animation_of_one_frame_is_taken(tmp_path: Path) -> None:
    """Some encoders write a still so; the frame is not lost with what surrounds it."""
    still = encoded(Image.new("RGB", (64, 48), "red"), "WEBP", lossless=True)[12:]
    sides = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    frame = bytes(6) + sides + bytes(4) + still
    body = b"WEBP" + b"".join(
        name + len(piece).to_bytes(4, "little") + piece
        for name, piece in ((b"VP8X", b"\x02\x00\x00\x00" + sides), (b"ANIM", bytes(6)), (b"ANMF", frame))
    )
    _, file = taken(tmp_path, b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert pixels(file)[:4] == b"\xff\x00\x00\xff"


def test_what_is_transparent_stays_so_when_it_is_turned(tmp_path: Path) -> None:
    """Also where a palette says what is transparent."""
    image = Image.new("P", (64, 48), 0)
    image.putpalette([255, 0, 0])
    _, upright = taken(tmp_path, encoded(image, "PNG", exif=exif(6), transparency=0))
    assert pixels(upright)[:4] == b"\xff\x00\x00\x00"


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg"])
def test_real_photos_keep_their_pixels(tmp_path: Path, name: str) -> None:
    """As they came from cameras and editors."""
    photo = a_photo(name)
    sanitized, bare = taken(tmp_path, photo)
    assert pixels(bare) == pixels(photo)
    assert not sanitized.converted


@settings(max_examples=300)
@given(st.sampled_from(list(ALL_FORMATS)), st.data())
def test_broken_files_break_nothing(file_format: str, data: st.DataObject) -> None:
    """Whatever is changed in a file, taking its notes out ends, and either gives a file or says what is wrong."""
    content = bytearray(
        encoded(noise(size=(16, 16)), file_format, **({} if file_format == "GIF" else {"exif": exif()}))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    with contextlib.suppress(ImageError):
        assert isinstance(strip_metadata(bytes(content[:cut]), ALL_FORMATS[file_format]).data, bytes)
