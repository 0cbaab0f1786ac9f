"""A mark in the pixels: 64 dark or light blocks along the bottom edge.

The mark identifies the job and the image's number. Wide blocks and distant tones make it survive JPEG, WebP and
scaling.
"""

import hashlib
import io
from typing import Final

from PIL import Image

BITS: Final = 64
_DARK: Final = (18, 20, 30)
_LIGHT: Final = (238, 236, 230)
_THRESHOLD: Final = 128


def expected_mark(prompt: str, index: int) -> int:
    """Return the 64-bit mark of image number `index` (from 0) of a prompt."""
    return int.from_bytes(hashlib.blake2b(f"{index}:{prompt}".encode(errors="replace"), digest_size=8).digest(), "big")


def strip_height(height: int) -> int:
    """Return the number of rows of the mark in an image of this height."""
    return max(8, height // 96)


def stamp(picture: Image.Image, mark: int) -> None:
    """Draw the mark at the bottom of an RGB image, in place."""
    blocks = Image.new("RGB", (BITS, 1))
    blocks.putdata([_LIGHT if mark >> (BITS - 1 - bit) & 1 else _DARK for bit in range(BITS)])
    rows = strip_height(picture.height)
    picture.paste(blocks.resize((picture.width, rows), Image.Resampling.NEAREST), (0, picture.height - rows))


def read_mark(image: bytes) -> int:
    """Return the mark of an encoded image; an arbitrary number if it has none."""
    with Image.open(io.BytesIO(image)) as opened:
        grey = opened.convert("L")
    row = grey.height - strip_height(grey.height) / 2
    mark = 0
    for bit in range(BITS):
        middle = (bit + 0.5) * grey.width / BITS
        (tone,) = grey.crop((int(middle), int(row), int(middle) + 1, int(row) + 1)).tobytes()
        mark = mark << 1 | (tone >= _THRESHOLD)
    return mark
