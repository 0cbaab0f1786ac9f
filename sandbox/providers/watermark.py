"""A corner stamp: "sandbox picture" and a mark of 32 bits.

The mark identifies the job and the image's number. Distant tones make it survive JPEG, WebP and scaling.
"""

import hashlib
import io
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

COLUMNS: Final = 8
ROWS: Final = 4
BITS: Final = COLUMNS * ROWS
_UNITS: Final = 88  # cells of the mark along the image's shorter side
_PADDING: Final = 0.5  # this and the next two are in cells
_WORDS_WIDTH: Final = 8.2
_LINE_HEIGHT: Final = 1.9
_WORDS: Final = ("sandbox", "picture")
_DARK: Final = (18, 20, 30)
_LIGHT: Final = (238, 236, 230)
_WORDS_COLOUR: Final = (200, 202, 210)
_THRESHOLD: Final = 128

Box = tuple[int, int, int, int]


def expected_mark(prompt: str, index: int) -> int:
    """Return the 32-bit mark of image number `index` (from 0) of a prompt."""
    return int.from_bytes(hashlib.blake2b(f"{index}:{prompt}".encode(errors="replace"), digest_size=4).digest(), "big")


def stamp_box(size: tuple[int, int]) -> Box:
    """Return the stamp's box (left, top, right, bottom) in an image."""
    width, height = size
    cell = min(size) / _UNITS
    wide, high = _WORDS_WIDTH + COLUMNS + 2 * _PADDING, ROWS + 2 * _PADDING
    return int(width - wide * cell), int(height - high * cell), width, height


def stamp(picture: Image.Image, mark: int) -> None:
    """Draw the stamp on an RGB image, in place."""
    left, top, _, _ = stamp_box(picture.size)
    cell = min(picture.size) / _UNITS
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, top, *picture.size), fill=_DARK)
    for bit in range(BITS):
        if mark >> (BITS - 1 - bit) & 1:
            x0, y0, x1, y1 = (round(each) for each in _cell_box(picture.size, bit))
            draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), fill=_LIGHT)
    font = _font(max(4, round(_LINE_HEIGHT * cell)))
    for line, word in enumerate(_WORDS):
        at = (left + _PADDING * cell, top + (_PADDING + line * _LINE_HEIGHT) * cell)
        draw.text(at, word, font=font, fill=_WORDS_COLOUR)


def read_mark(image: bytes) -> int:
    """Return the mark of an encoded image; an arbitrary number if it has none."""
    with Image.open(io.BytesIO(image)) as opened:
        grey = opened.convert("L")
    mark = 0
    for bit in range(BITS):
        x0, y0, x1, y1 = _cell_box(grey.size, bit)
        (tone,) = grey.resize((1, 1), Image.Resampling.BOX, box=_middle(x0, y0, x1, y1)).tobytes()
        mark = mark << 1 | (tone >= _THRESHOLD)
    return mark


def _cell_box(size: tuple[int, int], bit: int) -> tuple[float, float, float, float]:
    """Return a bit's cell; the cells fill the right of the stamp."""
    row, column = divmod(bit, COLUMNS)
    cell = min(size) / _UNITS
    x = size[0] - (_PADDING + COLUMNS - column) * cell
    y = size[1] - (_PADDING + ROWS - row) * cell
    return x, y, x + cell, y + cell


def _middle(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    quarter = (x1 - x0) / 4
    return x0 + quarter, y0 + quarter, x1 - quarter, y1 - quarter


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
