"""PNGs decoded without Pillow: no fault gets through, no pixel changes."""

import random
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from bot.domain.errors import ImageError, ImageProblem
from bot.images.decode import inspect
from bot.images.fingerprint import fingerprint
from bot.images.quick_png import decode_usual_png

Chunk = tuple[bytes, bytes]
MODES = ("L", "RGB", "RGBA")
KINDS = (b"abcd", b"ABCD", b"tRNS", b"PLTE", b"fcTL", b"acTL", b"iCCP", b"gAMA", b"zTXt", b"eXIf")


def scattered(mode: str, width: int, height: int) -> Image.Image:
    """Return a picture with every filter in its file."""
    rnd = random.Random(width * height)  # noqa: S311 - reproducible pixels
    size = width * height * len(mode)
    return Image.frombytes(
        mode, (width, height), bytes(rnd.randrange(256) if at % 3 else at % 256 for at in range(size))
    )


def png(image: Image.Image, **options: object) -> bytes:
    """Return a picture's file."""
    out = BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def chunks_of(data: bytes) -> list[Chunk]:
    """Return the chunks of a file."""
    at, chunks = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def file_of(chunks: list[Chunk]) -> bytes:
    """Return a file of chunks with right sums."""
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def quickly(data: bytes) -> Image.Image | None:
    """Return the pixels, or None if Pillow must decode the file."""
    try:
        opened = Image.open(BytesIO(data), formats=["PNG"])
    except Exception:  # noqa: BLE001 - what Pillow raises on odd files
        return None
    assert isinstance(opened, PngImagePlugin.PngImageFile)
    return decode_usual_png(data, opened)


def by_pillow(data: bytes) -> Image.Image | None:
    """Return the pixels, or None if Pillow refuses the file."""
    try:
        opened = Image.open(BytesIO(data), formats=["PNG"])
        opened.load()
    except Exception:  # noqa: BLE001 - as above
        return None
    return opened


@pytest.mark.parametrize("mode", MODES)
def test_usual_png_is_decoded_as_by_pillow(mode: str) -> None:
    image = scattered(mode, 37, 23)
    decoded = quickly(png(image))
    assert decoded is not None
    assert (decoded.mode, decoded.size) == (mode, (37, 23))
    assert decoded.tobytes() == image.tobytes()


def test_orientation_counts_for_the_fingerprint(tmp_path: Path) -> None:
    """The fingerprint is the one of the picture as it is shown."""
    image = scattered("RGB", 64, 64).resize((300, 200), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a"
    path.write_bytes(png(image.transpose(Image.Transpose.ROTATE_90), exif=exif))
    assert inspect(path).fingerprint == fingerprint(image)


def broken_anywhere(data: bytes, rnd: random.Random) -> bytes:
    """Change some bytes."""
    broken = bytearray(data)
    for _ in range(rnd.randrange(1, 4)):
        broken[rnd.randrange(8, len(data))] = rnd.randrange(256)
    return bytes(broken)


def cut_off(data: bytes, rnd: random.Random) -> bytes:
    """Lose the end, or get more."""
    return data[: rnd.randrange(30, len(data))] if rnd.random() < 0.7 else data + rnd.randbytes(rnd.randrange(1, 30))


def other_pixels(data: bytes, rnd: random.Random) -> bytes:
    """Change the packed pixels; the sums of the chunks are right."""
    head, *_ = chunks = chunks_of(data)
    packed = bytearray(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    match rnd.randrange(4):
        case 0:
            packed[rnd.randrange(len(packed))] = rnd.randrange(256)
        case 1:
            packed[-4:] = rnd.randbytes(4)  # the sum of all pixels
        case 2:
            del packed[-rnd.randrange(1, 30) :]
        case _:
            packed += rnd.randbytes(rnd.randrange(1, 30))
    return file_of([head, (b"IDAT", bytes(packed)), (b"IEND", b"")])


def other_rows(data: bytes, rnd: random.Random) -> bytes:
    """Change the rows; all sums are right."""
    head, *_ = chunks = chunks_of(data)
    rows = bytearray(zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")))
    match rnd.randrange(4):
        case 0:
            rows[0] = rnd.randrange(256)
        case 1:
            rows[rnd.randrange(len(rows))] = rnd.randrange(256)
        case 2:
            del rows[-rnd.randrange(1, 50) :]
        case _:
            rows += bytes(rnd.randrange(1, 50))
    return file_of([head, (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b"")])


def other_chunks(data: bytes, rnd: random.Random) -> bytes:
    """Lose, repeat, shuffle or add chunks; their sums are right."""
    chunks = chunks_of(data)
    at = rnd.randrange(1, len(chunks))
    match rnd.randrange(4):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(at, rnd.choice(chunks))
        case 2:
            rnd.shuffle(chunks)
        case _:
            kind = rnd.choice(
                [b"abcd", b"ABCD", b"tRNS", b"PLTE", b"fcTL", b"acTL", b"iCCP", b"gAMA", b"zTXt", b"eXIf"]
            )
            chunks.insert(at, (kind, rnd.randbytes(rnd.randrange(30))))
    return file_of(chunks)


def other_head(data: bytes, rnd: random.Random) -> bytes:
    """Change a bit of the header; its sum is right."""
    (kind, body), *others = chunks_of(data)
    head = bytearray(body)
    head[rnd.choice((3, 7, 8, 9, 10, 11, 12))] ^= 1 << rnd.randrange(8)
    return file_of([(kind, bytes(head)), *others])


@pytest.mark.parametrize("fault", [broken_anywhere, cut_off, other_pixels, other_rows, other_chunks, other_head])
def test_no_fault_found_by_pillow_gets_through(fault: Callable[[bytes, random.Random], bytes]) -> None:
    """Pillow decodes every file taken here, and to the same pixels."""
    rnd, refused = random.Random(11), 0  # noqa: S311 - reproducible faults
    files = [png(scattered(mode, rnd.randrange(5, 40), rnd.randrange(5, 40))) for mode in MODES for _ in range(3)]
    for _ in range(500):
        data = fault(rnd.choice(files), rnd)
        decoded, expected = quickly(data), by_pillow(data)
        refused += expected is None
        if decoded is not None:
            assert expected is not None, data.hex()
            assert decoded.tobytes() == expected.tobytes(), data.hex()
    assert refused > 50


@pytest.mark.parametrize(
    "data",
    [
        png(scattered("L", 20, 20).convert("P")),
        png(scattered("L", 20, 20).convert("1")),
        png(scattered("L", 20, 20).convert("I;16")),
        png(scattered("RGB", 20, 20), transparency=(1, 2, 3)),
        png(
            scattered("RGB", 20, 20),
            save_all=True,
            append_images=[scattered("RGB", 20, 20).transpose(Image.Transpose.ROTATE_90)],
        ),
        file_of([*chunks_of(png(scattered("RGB", 20, 20)))[:-1], (b"tEXt", b"a\x00b"), (b"IEND", b"")]),
    ],
    ids=["palette", "one bit", "16 bits", "one transparent colour", "animation", "text behind the pixels"],
)
def test_unusual_png_is_left_to_pillow(tmp_path: Path, data: bytes) -> None:
    assert quickly(data) is None
    path = tmp_path / "a"
    path.write_bytes(data)
    assert inspect(path).media_type == "image/png"


def test_stream_of_many_more_pixels_is_left_to_pillow() -> None:
    """A bomb behind a small header: 200 MB of zeros in 200 kB."""
    head, *_ = chunks_of(png(scattered("L", 20, 20)))
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    data = file_of([head, (b"IDAT", packed), (b"IEND", b"")])
    assert quickly(data) is None


@pytest.mark.parametrize("window", [8, 15])
def test_window_larger_than_a_png_may_have_is_refused(tmp_path: Path, window: int) -> None:
    head, *_ = chunks = chunks_of(png(scattered("RGB", 20, 20)))
    packed = bytearray(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    packed[:2] = (window << 12 | 8 << 8 | 31 - (window << 12 | 8 << 8) % 31).to_bytes(2)
    path = tmp_path / "a"
    path.write_bytes(file_of([head, (b"IDAT", bytes(packed)), (b"IEND", b"")]))
    with pytest.raises(ImageError):
        inspect(path)


@pytest.mark.parametrize("kind", [b"acTL", b"fcTL", b"fdAT"])
def test_file_with_a_piece_of_an_animation_is_left_to_pillow(kind: bytes) -> None:
    """It may show another frame."""
    head, *others = chunks_of(png(scattered("RGB", 20, 20)))
    opened = Image.open(BytesIO(png(scattered("RGB", 20, 20))))
    assert isinstance(opened, PngImagePlugin.PngImageFile)
    assert decode_usual_png(file_of([head, (kind, bytes(26)), *others]), opened) is None


def test_wrong_sum_of_the_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    head, *_ = chunks = chunks_of(png(scattered("RGB", 20, 20)))
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    path.write_bytes(file_of([head, (b"IDAT", packed[:-4] + bytes(4)), (b"IEND", b"")]))
    with pytest.raises(ImageError) as caught:
        inspect(path)
    assert caught.value.problem is ImageProblem.NOT_A_PICTURE
