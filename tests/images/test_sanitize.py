"""Sanitized input images: same pixels, one frame, upright, no metadata."""

import contextlib
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import InputChange
from bot.images import sanitize as sanitize_module
from bot.images.decoder_values import SanitizedImage
from bot.images.file_types import UNKNOWN_FORMAT
from bot.images.sanitize import sanitize
from bot.images.strip_metadata import strip_metadata
from tests.images.samples import encoded, noise
from tests.support.image_server import a_photo, animated, bomb, drawn

SECRET = b"51.5007 N"
FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
ALL_FORMATS = FORMATS | {"GIF": "image/gif"}
CONVERTED = ("HEIF", "AVIF")
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


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
    assert sanitized.changes == frozenset()
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


# What EXIF's orientation says of the corners of a picture, from the top left clockwise.
CORNERS = {
    1: "RGBW",
    2: "GRWB",
    3: "BWRG",
    4: "WBGR",
    5: "RWBG",
    6: "WRGB",
    7: "BGRW",
    8: "GBWR",
}
COLOURS = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255), "W": (255, 255, 255)}


def quartered(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Return a picture with a red, green, blue and white quarter."""
    width, height = size[0] // 2, size[1] // 2
    image = Image.new("RGB", size)
    for letter, at in zip("RGBW", ((0, 0), (width, 0), (width, height), (0, height)), strict=True):
        image.paste(COLOURS[letter], (*at, at[0] + width, at[1] + height))
    return image


def corners(content: bytes) -> str:
    """Return the letters of the quarters, clockwise from the top left."""
    with Image.open(BytesIO(content)) as image:
        shown = image.convert("RGB")
    x, y = shown.width // 4, shown.height // 4
    seen = [shown.getpixel(at) for at in ((x, y), (3 * x, y), (3 * x, 3 * y), (x, 3 * y))]
    return "".join(_nearest(colour) for colour in seen)


def _nearest(colour: Any) -> str:
    return min(COLOURS, key=lambda letter: sum(abs(a - b) for a, b in zip(COLOURS[letter], colour, strict=True)))


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("orientation", CORNERS)
def test_exif_orientation_is_applied(tmp_path: Path, file_format: str, orientation: int) -> None:
    sanitized, upright = taken(tmp_path, encoded(quartered(), file_format, exif=exif(orientation)))
    assert corners(upright) == CORNERS[orientation]
    assert (sanitized.file.width, sanitized.file.height) == ((96, 64) if orientation < 5 else (64, 96))
    assert sanitized.changes == frozenset()
    assert SECRET not in upright
    with Image.open(BytesIO(upright)) as image:
        assert (image.format, dict(image.getexif())) == (file_format, {})


def test_lossless_webp_is_turned_without_loss(tmp_path: Path) -> None:
    content = encoded(noise(), "WEBP", lossless=True, exif=exif(2))
    _, upright = taken(tmp_path, content)
    assert pixels(upright) == noise().convert("RGBA").transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes()


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG's chunk."""
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


@pytest.mark.parametrize(
    ("mode", "lossless", "media_type"),
    [("RGB", False, "image/jpeg"), ("RGBA", False, "image/png"), ("RGB", True, "image/png")],
)
def test_turned_webp_becomes_another_format_if_large(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    lossless: bool,
    media_type: str,
) -> None:
    """WebP's encoder takes too much memory then."""
    monkeypatch.setattr(sanitize_module, "_WEBP_ENCODED_PIXELS", 3_000)
    sanitized, _ = taken(tmp_path, encoded(noise(mode), "WEBP", lossless=lossless, exif=exif(6)))
    assert (sanitized.file.media_type, sanitized.file.width) == (media_type, 48)


def test_turned_png_keeps_its_colours(tmp_path: Path) -> None:
    """Without these chunks the same numbers are other colours."""
    kept = b"".join(
        (
            chunk(b"gAMA", (100_000).to_bytes(4)),
            chunk(b"cHRM", b"".join(value.to_bytes(4) for value in range(31_000, 31_008))),
            chunk(b"cICP", bytes((9, 16, 0, 1))),
            chunk(b"iCCP", b"p3\x00\x00" + zlib.compress(b"a profile")),
        )
    )
    plain = encoded(quartered(), "PNG", exif=exif(6))
    _, upright = taken(tmp_path, plain[:33] + kept + chunk(b"tEXt", b"Author\x00" + SECRET) + plain[33:])
    assert corners(upright) == CORNERS[6]
    assert upright[33 : 33 + len(kept)] == kept
    assert SECRET not in upright


def segment(marker: int, body: bytes) -> bytes:
    """Return a JPEG's segment."""
    return b"\xff" + bytes((marker,)) + (len(body) + 2).to_bytes(2) + body


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"stray bytes" + SECRET, id="stray bytes"),
        pytest.param(b"\xff\xed\x00\x09Photoshop 3.0" + SECRET, id="length too short"),
        pytest.param(segment(0xE0, b"JFXX\x00\x10" + SECRET), id="thumbnail"),
        pytest.param(segment(0xEE, b"Adobe\x00\x64" + SECRET), id="long Adobe marker"),
        pytest.param(segment(0xEE, SECRET), id="foreign APP14"),
        pytest.param(segment(0xF7, SECRET), id="unknown segment"),
        pytest.param(segment(0xE2, b"MPF\x00" + SECRET), id="further images"),
        pytest.param(b"\xff\xff\xff\x01\xff\xd0", id="fill bytes and bare markers"),
    ],
)
def test_jpeg_with_odd_pieces_is_written_clean(tmp_path: Path, junk: bytes) -> None:
    """Every decoder copes with them; none needs them."""
    plain = encoded(quartered(), "JPEG")
    begin = 2 + 18  # the start and the JFIF header
    sanitized, bare = taken(tmp_path, plain[:begin] + junk + plain[begin:])
    assert corners(bare) == CORNERS[1]
    assert SECRET not in bare
    assert len(bare) <= len(plain) + 16
    assert sanitized.changes == frozenset()


def test_jfif_thumbnail_is_removed(tmp_path: Path) -> None:
    plain = encoded(quartered(), "JPEG", dpi=(300, 300))
    header = segment(0xE0, plain[6:18] + bytes((2, 2)) + SECRET[:4] * 3)
    _, bare = taken(tmp_path, plain[:2] + header + plain[20:])
    assert bare == plain


def test_cmyk_jpeg_keeps_its_colour_transform(tmp_path: Path) -> None:
    content = encoded(quartered().convert("CMYK"), "JPEG")
    _, bare = taken(tmp_path, content)
    with Image.open(BytesIO(content)) as before, Image.open(BytesIO(bare)) as after:
        assert (after.mode, after.tobytes()) == ("CMYK", before.tobytes())


def test_jpeg_within_a_broken_segment_is_rejected(tmp_path: Path) -> None:
    """A thumbnail must not become the picture."""
    plain = encoded(quartered(), "JPEG")
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, plain[:20] + b"\xff\xe1\x00\x04ab" + encoded(noise(), "JPEG") + plain[20:])
    assert refusal.value.problem is ImageProblem.NOT_A_PICTURE


def test_apng_with_one_frame_stays_as_it_is(tmp_path: Path) -> None:
    plain = encoded(quartered(), "PNG")
    control = chunk(b"acTL", (1).to_bytes(4) + bytes(4))
    sanitized, bare = taken(tmp_path, plain[:33] + control + plain[33:])
    assert bare == plain
    assert sanitized.changes == frozenset()


@pytest.mark.parametrize("file_format", CONVERTED)
@pytest.mark.parametrize("orientation", CORNERS)
def test_heic_and_avif_become_upright_jpeg(tmp_path: Path, file_format: str, orientation: int) -> None:
    content = encoded(quartered(), file_format, exif=exif(orientation).tobytes(), quality=90)
    assert SECRET in content
    sanitized, written = taken(tmp_path, content)
    assert corners(written) == CORNERS[orientation]
    assert sanitized.file.media_type == "image/jpeg"
    assert sanitized.changes == {InputChange.CONVERTED}
    assert SECRET not in written
    with Image.open(BytesIO(written)) as image:
        assert dict(image.getexif()) == {}


@pytest.mark.parametrize("file_format", CONVERTED)
def test_transparent_heic_and_avif_become_png(tmp_path: Path, file_format: str) -> None:
    image = quartered().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    sanitized, written = taken(tmp_path, encoded(image, file_format, icc_profile=PROFILE, xmp=SECRET))
    assert sanitized.file.media_type == "image/png"
    with Image.open(BytesIO(written)) as made:
        assert made.mode == "RGBA"
        assert set(made.info) == {"icc_profile"}


@pytest.mark.parametrize("cut", [40, 200, -40])
@pytest.mark.parametrize("file_format", CONVERTED)
def test_cut_off_heic_and_avif_is_rejected(tmp_path: Path, file_format: str, cut: int) -> None:
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, encoded(noise(), file_format)[:cut])
    assert refusal.value.detail != UNKNOWN_FORMAT


def test_photo_of_48_megapixels_is_halved(tmp_path: Path) -> None:
    sanitized, written = taken(tmp_path, encoded(quartered((8064, 6048)), "JPEG", exif=exif(6), quality=50))
    assert (sanitized.file.width, sanitized.file.height) == (3024, 4032)
    assert corners(written) == CORNERS[6]
    assert sanitized.changes == {InputChange.SCALED}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_wide_png_is_halved_in_every_mode(tmp_path: Path, mode: str) -> None:
    light = {"1": 1, "I;16": 200 * 256}.get(mode)
    image = Image.new("L", (8193, 32), 200).convert(mode) if light is None else Image.new(mode, (8193, 32), light)
    sanitized, written = taken(tmp_path, encoded(image, "PNG"))
    assert (sanitized.file.width, sanitized.file.height) == (4097, 16)
    assert sanitized.changes == {InputChange.SCALED}
    expected = 255 if mode == "1" else 200
    assert abs(pixels(written)[0] - expected) <= 2


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_wide_jpeg_is_halved_in_every_mode(tmp_path: Path, mode: str) -> None:
    sanitized, written = taken(tmp_path, encoded(quartered((16_386, 64)).convert(mode), "JPEG"))
    assert (sanitized.file.width, sanitized.file.height) == (4097, 16)
    if mode != "L":
        assert corners(written) == CORNERS[1]


def test_large_jpeg_with_scans_is_rejected(tmp_path: Path) -> None:
    """Its decoder would hold all coefficients."""
    content = encoded(Image.new("L", (10_000, 5_001)), "JPEG", progressive=True, quality=10)
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, content)
    assert refusal.value.problem is ImageProblem.TOO_LARGE


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_animation_becomes_first_frame(tmp_path: Path, file_format: str) -> None:
    """As PNG."""
    sanitized, still = taken(tmp_path, animated(file_format))
    with Image.open(BytesIO(still)) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("PNG", 1)
    assert sanitized.changes == {InputChange.FIRST_FRAME}
    red, green, *_ = pixels(still)
    assert red > 200
    assert green < 60


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (bomb, ImageProblem.TOO_LARGE),
        (drawn(size=(8193, 16)), ImageProblem.TOO_SMALL),
        (lambda: encoded(Image.new("L", (8192, 4097)), "WEBP", method=0), ImageProblem.TOO_LARGE),
        (b"\x00\x00\x00\x18ftypisom" + bytes(40), ImageProblem.NOT_A_PICTURE),
        (drawn(size=(1, 1)), ImageProblem.TOO_SMALL),
        (drawn(size=(200, 15)), ImageProblem.TOO_SMALL),
        (b"%PDF-1.7", ImageProblem.NOT_A_PICTURE),
        (b"", ImageProblem.NOT_A_PICTURE),
        (drawn("JPEG")[:-20], ImageProblem.TRUNCATED),
        (drawn("WEBP")[:-20], ImageProblem.TRUNCATED),
    ],
)
def test_unusable_file_is_rejected(tmp_path: Path, content: bytes | Callable[[], bytes], problem: ImageProblem) -> None:
    """By content, not by name."""
    with pytest.raises(ImageError) as refusal:
        taken(tmp_path, content() if callable(content) else content)
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
    assert sanitized.changes == frozenset()


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
