"""What becomes of a picture that a member gives: the same pixels, one frame, upright, and nothing else in the file."""

import contextlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from bot.domain.errors import PictureError, PictureProblem
from bot.images.bare import bared
from bot.images.intake import Intake, take_in
from tests.images.samples import encoded, noise
from tests.support.shelf import a_photo, animated, bomb, drawn

SECRET = b"51.5007 N"
FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def exif(orientation: int = 1) -> Image.Exif:
    """Return what a phone writes into a photo."""
    notes = Image.Exif()
    notes[0x0112] = orientation
    notes[0x010F] = SECRET.decode()
    notes.get_ifd(0x8825)[1] = "N"
    return notes


def taken(folder: Path, content: bytes) -> tuple[Intake, bytes]:
    """Take a file in, and return what it is now."""
    path = folder / "given"
    path.write_bytes(content)
    return take_in(path), path.read_bytes()


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
    intake, bare = taken(tmp_path, content)
    assert SECRET not in bare
    assert pixels(bare) == pixels(content)
    assert (intake.converted, intake.info.media_type, intake.info.size) == (False, FORMATS[file_format], len(bare))


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
    intake, upright = taken(tmp_path, content)
    with Image.open(BytesIO(content)) as before, Image.open(BytesIO(upright)) as after:
        seen = ImageOps.exif_transpose(before).convert("RGB")
        assert (after.size, dict(after.getexif())) == (seen.size, {})
        assert (intake.info.width, intake.info.height) == seen.size
        for corner in ((2, 2), (seen.width - 3, 2), (2, seen.height - 3)):
            near = zip(seen.getpixel(corner), after.convert("RGB").getpixel(corner), strict=True)  # type: ignore[arg-type]
            assert all(abs(one - other) < 24 for one, other in near)
    assert SECRET not in upright
    assert not intake.converted


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_an_animation_becomes_its_first_frame(tmp_path: Path, file_format: str) -> None:
    """As a PNG, whatever it was."""
    intake, still = taken(tmp_path, animated(file_format))
    with Image.open(BytesIO(still)) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("PNG", 1)
    assert (intake.converted, intake.info.frames) == (True, 1)
    red, green, *_ = pixels(still)
    assert red > 200
    assert green < 60


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (bomb(), PictureProblem.TOO_LARGE),
        (drawn(size=(8193, 16)), PictureProblem.TOO_LARGE),
        (drawn(size=(1, 1)), PictureProblem.TOO_SMALL),
        (drawn(size=(200, 15)), PictureProblem.TOO_SMALL),
        (b"%PDF-1.7", PictureProblem.NOT_A_PICTURE),
        (b"", PictureProblem.NOT_A_PICTURE),
        (drawn("JPEG")[:-20], PictureProblem.TRUNCATED),
        (drawn("WEBP")[:-20], PictureProblem.TRUNCATED),
    ],
)
def test_what_is_no_use_is_refused(tmp_path: Path, content: bytes, problem: PictureProblem) -> None:
    """By what it is, not by what it is called."""
    with pytest.raises(PictureError) as refusal:
        taken(tmp_path, content)
    assert refusal.value.problem is problem


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg"])
def test_real_photos_keep_their_pixels(tmp_path: Path, name: str) -> None:
    """As they came from cameras and editors."""
    photo = a_photo(name)
    intake, bare = taken(tmp_path, photo)
    assert pixels(bare) == pixels(photo)
    assert not intake.converted


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(FORMATS)), st.data())
def test_broken_files_break_nothing(file_format: str, data: st.DataObject) -> None:
    """Whatever is changed in a file, taking its notes out ends, and either gives a file or says what is wrong."""
    content = bytearray(encoded(noise(size=(16, 16)), file_format, exif=exif()))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    with contextlib.suppress(PictureError):
        assert isinstance(bared(bytes(content[:cut]), FORMATS[file_format]), bytes)
