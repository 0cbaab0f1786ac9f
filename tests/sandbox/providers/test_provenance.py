"""The provenance manifest in image files."""

import io

import pytest
from PIL import Image

from sandbox.providers import expected_mark, read_mark
from sandbox.providers.pictures import FORMATS, draw_picture
from sandbox.providers.provenance import add_manifest, manifest, read_manifest


def drawn(format_: str, *, cut_out: bool = False) -> bytes:
    return draw_picture("a fox", 0, width=512, height=384, format=format_, cut_out=cut_out)


@pytest.mark.parametrize("format_", FORMATS)
def test_manifest_is_read_back_and_pixels_are_unchanged(format_: str) -> None:
    plain, box = drawn(format_), manifest("job/0")

    signed = add_manifest(plain, box)

    assert read_manifest(signed) == box
    assert read_manifest(plain) is None
    assert read_mark(signed) == expected_mark("a fox", 0)
    with Image.open(io.BytesIO(signed)) as one, Image.open(io.BytesIO(plain)) as other:
        assert one.convert("RGB").tobytes() == other.convert("RGB").tobytes()


@pytest.mark.parametrize(("format_", "place"), [("png", b"caBX"), ("jpeg", b"\xff\xeb"), ("webp", b"C2PA")])
def test_manifest_is_where_c2pa_puts_it(format_: str, place: bytes) -> None:
    assert place in add_manifest(drawn(format_), manifest("x"))


@pytest.mark.parametrize("format_", FORMATS)
def test_reencoding_drops_manifest(format_: str) -> None:
    file = io.BytesIO()
    with Image.open(io.BytesIO(add_manifest(drawn(format_), manifest("x")))) as opened:
        opened.save(file, format_.upper())

    assert read_manifest(file.getvalue()) is None


def test_webp_becomes_an_extended_file_of_the_same_size() -> None:
    signed = add_manifest(drawn("webp"), manifest("x"))

    assert signed[12:16] == b"VP8X"
    assert [int.from_bytes(signed[at : at + 3], "little") + 1 for at in (24, 27)] == [512, 384]
    assert int.from_bytes(signed[4:8], "little") == len(signed) - 8


def test_transparent_webp_keeps_alpha() -> None:
    with Image.open(io.BytesIO(add_manifest(drawn("webp", cut_out=True), manifest("x")))) as opened:
        assert opened.convert("RGBA").getchannel("A").getextrema() == (0, 255)


def test_lossless_webp_takes_manifest() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (30, 20), (200, 10, 10, 90)).save(file, "WEBP", lossless=True)

    signed = add_manifest(file.getvalue(), manifest("x"))

    assert read_manifest(signed) == manifest("x")
    with Image.open(io.BytesIO(signed)) as opened:
        assert (opened.size, opened.mode) == ((30, 20), "RGBA")


def test_truncated_manifest_is_missing() -> None:
    signed = add_manifest(drawn("png"), manifest("x"))

    assert read_manifest(signed[: signed.index(b"caBX") + 30]) is None
