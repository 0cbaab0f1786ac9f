"""Marks in image files: written, kept and never at the cost of a pixel."""

import struct
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from bot.domain.errors import ImageError
from bot.domain.provenance import Mark, SourceType
from bot.images.decode import inspect
from bot.images.decoder_values import DEFAULT_LIMITS
from bot.images.file_types import sniff
from bot.images.marks import MAX_PACKET_BYTES, add_packet, build_packet, is_marked, own_packet, remove_prompts
from bot.images.reencode import fit
from bot.images.results import finish_result
from sandbox.providers.provenance import add_manifest, manifest, read_manifest
from tests.images.samples import encoded, noise
from tests.images.test_structure import HOSTILE
from tests.support.image_server import animated, lying

PACKET = build_packet(Mark(source=SourceType.GENERATED, model="reve-2.0"))
SECRET = b"a lighthouse nobody may read of"

SAMPLES = {
    "png": encoded(noise()),
    "palette": encoded(noise().quantize(16)),
    "jpeg": encoded(noise(), "JPEG"),
    "progressive": encoded(noise(), "JPEG", progressive=True),
    "exif": lying(encoded(noise(), "JPEG"), 6),
    "webp": encoded(noise(), "WEBP"),
    "lossless": encoded(noise(), "WEBP", lossless=True),
    "transparent": encoded(noise("RGBA"), "WEBP"),
    "lossless transparent": encoded(noise("RGBA"), "WEBP", lossless=True),
    "odd": encoded(noise(size=(37, 51)), "WEBP"),
    "profile": encoded(noise(), "WEBP", icc_profile=b"a profile"),
    "moving webp": animated("WEBP"),
    "moving png": animated("PNG"),
    "signed png": add_manifest(encoded(noise()), manifest("a")),
    "signed jpeg": add_manifest(encoded(noise(), "JPEG"), manifest("a")),
    "signed webp": add_manifest(encoded(noise(), "WEBP"), manifest("a")),
}
PLAIN = [name for name in SAMPLES if not name.startswith("signed")]


def kind(data: bytes) -> str:
    """Return the media type of a file."""
    return sniff(data[:12], len(data))


def shown(data: bytes) -> tuple[str, list[tuple[int, int]], list[bytes]]:
    """Return mode, sizes and pixels of all frames."""
    with Image.open(BytesIO(data)) as image:
        frames = [frame.copy() for frame in ImageSequence.Iterator(image)]
    return frames[0].mode, [frame.size for frame in frames], [frame.tobytes() for frame in frames]


def shown_if_readable(data: bytes) -> object:
    """Return the frames of a file, None if unreadable."""
    try:
        return shown(data)
    except Exception:  # noqa: BLE001 - Pillow raises nearly anything
        return None


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


@pytest.mark.parametrize("name", PLAIN)
def test_added_packet_is_read_and_changes_no_pixel(name: str) -> None:
    data = SAMPLES[name]

    marked = add_packet(data, kind(data), PACKET)

    assert marked != data
    assert shown(marked) == shown(data)
    with Image.open(BytesIO(marked)) as image:
        xmp = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    assert (xmp if isinstance(xmp, bytes) else xmp.encode()) == PACKET
    assert is_marked(marked, kind(data))
    assert own_packet(marked) == PACKET
    assert len(marked) - len(data) <= MAX_PACKET_BYTES


@pytest.mark.parametrize(("name", "flags"), [("lossless transparent", 0x14), ("lossless", 0x04), ("webp", 0x04)])
def test_extended_webp_announces_transparency_and_packet(name: str, flags: int) -> None:
    marked = add_packet(SAMPLES[name], "image/webp", PACKET)
    assert marked[12:16] == b"VP8X"
    assert marked[20] == flags


def test_packet_names_source_and_model() -> None:
    packet = build_packet(Mark(source=SourceType.EDITED, model="a<b>&c\x00")).decode()
    address = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    assert f"<Iptc4xmpExt:DigitalSourceType>{address}</Iptc4xmpExt:DigitalSourceType>" in packet
    assert "<Iptc4xmpExt:AISystemUsed>a&lt;b&gt;&amp;c</Iptc4xmpExt:AISystemUsed>" in packet


@pytest.mark.parametrize("media", ["png", "jpeg", "webp"])
def test_signed_result_stays_byte_for_byte(tmp_path: Path, media: str) -> None:
    data, path = SAMPLES[f"signed {media}"], tmp_path / "a"
    path.write_bytes(data)
    finish_result(path, DEFAULT_LIMITS, PACKET)
    assert path.read_bytes() == data
    assert read_manifest(data) == manifest("a")


@pytest.mark.parametrize("media", ["PNG", "JPEG", "WEBP"])
def test_foreign_packet_stays_the_only_one(tmp_path: Path, media: str) -> None:
    foreign = b"<x:xmpmeta>a note</x:xmpmeta>"
    path = tmp_path / "a"
    data = add_packet(encoded(noise(), media), f"image/{media.lower()}", foreign)
    path.write_bytes(data)
    finish_result(path, DEFAULT_LIMITS, PACKET)
    assert path.read_bytes() == data


def test_animated_gif_stays_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(animated())
    finish_result(path, DEFAULT_LIMITS, PACKET)
    assert path.read_bytes() == animated()


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"tEXt", b"prompt\0" + SECRET),
        chunk(b"tEXt", b"workflow\0{" + SECRET),
        chunk(b"tEXt", b"parameters\0" + SECRET),
        chunk(b"iTXt", b"prompt\0\0\0\0\0" + SECRET),
        chunk(b"zTXt", b"workflow\0\0" + zlib.compress(SECRET, 0)),
    ],
)
def test_prompt_texts_are_removed_and_all_else_stays(text: bytes) -> None:
    others = chunk(b"tEXt", b"Software\0ComfyUI"), chunk(b"tEXt", b"prompts\0kept"), chunk(b"noTe", b"prompt\0kept")
    png = encoded(noise())

    cleaned = remove_prompts(with_chunks(png, others[0], text, *others[1:]) + b"behind", "image/png")

    assert SECRET not in cleaned
    assert cleaned == with_chunks(png, *others) + b"behind"


def test_prompt_at_the_end_of_a_png_is_removed() -> None:
    png = encoded(noise())
    assert remove_prompts(png[:-12] + chunk(b"tEXt", b"prompt\0" + SECRET) + png[-12:], "image/png") == png


def test_prompt_amid_pixels_stays() -> None:
    """A decoder stops there; without the text it might read on."""
    png = encoded(noise())
    garbage = chunk(b"IDAT", b"garbage")
    data = png[:-12] + chunk(b"tEXt", b"prompt\0" + SECRET) + garbage + png[-12:]
    assert remove_prompts(data, "image/png") == data


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_other_formats_keep_their_texts(name: str) -> None:
    data = SAMPLES[name] + b"prompt\0"
    assert remove_prompts(data, kind(data)) is data


def test_reencoded_picture_without_room_for_mark_is_only_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(noise(), "PNG"))
    upload = fit(path, inspect(path), 3_000, PACKET)
    assert isinstance(upload.content, bytes)
    assert len(upload.content) <= 3_000
    assert own_packet(upload.content) is None


def test_reencoded_upload_has_the_mark_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(noise(size=(400, 300))))
    file = finish_result(path, DEFAULT_LIMITS, build_packet(Mark(source=SourceType.EDITED, model="first")))

    upload = fit(path, file, 60_000, PACKET)

    assert isinstance(upload.content, bytes)
    assert len(upload.content) <= 60_000
    assert b"compositeWithTrainedAlgorithmicMedia" in (own_packet(upload.content) or b"")


def test_reencoded_upload_of_signed_file_has_the_given_mark(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(add_manifest(encoded(noise(size=(400, 300))), manifest("a")))
    upload = fit(path, finish_result(path, DEFAULT_LIMITS, None), 60_000, PACKET)
    assert isinstance(upload.content, bytes)
    assert own_packet(upload.content) == PACKET


def edited(data: bytes) -> bytes:
    """Return a file after all edits, whether it is marked or not."""
    try:
        media_type = kind(data)
    except ImageError:
        return data
    is_marked(data, media_type)
    own_packet(data)
    return add_packet(remove_prompts(data, media_type), media_type, PACKET)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a sample with some bytes replaced, removed, doubled or cut off."""
    data = bytearray(draw(st.sampled_from(sorted(SAMPLES.values()))))
    for _ in range(draw(st.integers(1, 4))):
        at, size = draw(st.integers(0, len(data) - 1)), draw(st.integers(0, 40))
        match draw(st.sampled_from(["replace", "insert", "remove", "double", "cut"])):
            case "replace":
                data[at : at + size] = draw(st.binary(min_size=size, max_size=size))
            case "insert":
                data[at:at] = draw(
                    st.sampled_from([b"\xff\xe1\xff\xff", b"tEXtprompt\0", b"VP8X", b"IEND", b"\xff" * 9])
                )
            case "remove":
                del data[at : at + size]
            case "double":
                data[at:at] = data[at : at + size]
            case _:
                del data[max(12, at) :]
    return bytes(data)


@settings(max_examples=300, deadline=None)
@given(mutated())
@example(b"\xff\xd8\xff")
@example(b"\x89PNG\r\n\x1a\n" + b"\xff" * 40)
@example(b"RIFF\x04\x00\x00\x00WEBP")
def test_edits_of_mutated_file_change_no_pixel(data: bytes) -> None:
    result = edited(data)
    before = shown_if_readable(data)
    if before is not None:
        assert shown_if_readable(result) == before


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\x00\x00\x00WEBP"]), st.binary(max_size=300))
def test_edits_of_garbage_only_add_a_packet(head: bytes, tail: bytes) -> None:
    data = head + tail
    assert 0 <= len(edited(data)) - len(data) <= MAX_PACKET_BYTES or b"prompt" in data


@pytest.mark.parametrize("name", [*HOSTILE, "lengths"])
def test_edits_of_hostile_file_are_quick_and_small(name: str) -> None:
    lying_lengths = b"\x89PNG\r\n\x1a\n" + (b"\x00\x00\x00\x00tEXt" + bytes(4)) * 200_000
    data = HOSTILE[name]() if name in HOSTILE else lying_lengths
    began = time.process_time()
    tracemalloc.start()
    edited(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(data) + 20_000_000
    assert time.process_time() - began < 5


def test_result_that_no_longer_decodes_after_its_edit_is_kept_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data = tmp_path / "a", SAMPLES["png"]
    path.write_bytes(data)
    monkeypatch.setattr("bot.images.results.add_packet", lambda file, *_: file[:60])
    assert finish_result(path, DEFAULT_LIMITS, PACKET).size == len(data)
    assert path.read_bytes() == data
