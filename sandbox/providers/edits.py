"""What an edit looks like: its first input in the colours of a scene, the other inputs small in a corner.

A person sees that it is that photo, made anew; a test can tell from the pixels which picture it came from.
"""

import io
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from sandbox.providers.finish import coloured
from sandbox.providers.palettes import PALETTES
from sandbox.providers.watermark import read_mark

_GRADE: Final = 0.5
"""How much of the palette there is in an edit; the rest is the photo's own colours."""

_CELLS: Final = 16
_INSET_ROWS: Final = 5  # of the cells, at the top, that insets may cover
_LAST_ROW: Final = 14  # of the cells; below are the caption and the mark
_ALIKE: Final = 18.0  # tones of 256, on average


def edited(mark: int, pictures: tuple[bytes, ...], width: int, height: int) -> Image.Image:
    """Return the RGB picture of an edit in this size; `pictures` are its inputs, encoded, the first one the photo."""
    photo, *others = (_opened(each) for each in pictures)
    picture = _graded(ImageOps.fit(photo, (width, height), Image.Resampling.BICUBIC), mark)
    _blur_writing(picture)
    side = max(12, min(width, height) // 6)
    gap = max(2, side // 8)
    for at, other in enumerate(others):
        columns = max(1, (width - gap) // (side + gap))
        left = width - (at % columns + 1) * (side + gap)
        _inset(picture, other, (left, gap + at // columns * (side + gap)), side)
    return picture


def derives_from(picture: bytes, source: bytes, *, effect: str | None = None) -> bool:
    """Tell whether an encoded picture is a stand-in's edit whose first input was `source`.

    It may have been scaled and compressed since; an effect replaces all colours, so it has to be named.
    """
    made, photo = _opened(picture), _opened(source)
    expected = _graded(ImageOps.fit(photo, made.size, Image.Resampling.BICUBIC), read_mark(picture))
    if effect is not None:
        expected = coloured(expected, effect)
    difference = ImageChops.difference(_cells(made), _cells(expected)).convert("L")
    return bool(ImageStat.Stat(difference).mean[0] < _ALIKE)


def _opened(encoded: bytes) -> Image.Image:
    with Image.open(io.BytesIO(encoded)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    flat = Image.new("RGB", upright.size, "white")
    flat.paste(upright, mask=upright.getchannel("A"))
    return flat


def _graded(photo: Image.Image, mark: int) -> Image.Image:
    """Return the photo in the palette of the scene that this mark would have had."""
    palette = Random(mark).choice(PALETTES)  # noqa: S311 - a drawing, not a secret
    tones = ImageOps.colorize(photo.convert("L"), palette.near, palette.horizon, mid=palette.middle)
    return Image.blend(photo, tones, _GRADE)


def _blur_writing(picture: Image.Image) -> None:
    """Make what an earlier picture of ours had written at the bottom unreadable: an edit writes there itself."""
    below = (0, picture.height * (_CELLS - 1) // _CELLS, picture.width, picture.height)
    picture.paste(picture.crop(below).filter(ImageFilter.GaussianBlur(picture.height / 48)), below[:2])


def _inset(picture: Image.Image, other: Image.Image, at: tuple[int, int], side: int) -> None:
    """Put another input into the picture as a small square with round corners and a light edge."""
    edge = max(1, side // 32)
    mask = Image.new("L", (side * 2, side * 2))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 2 - 1, side * 2 - 1), radius=side // 4, fill=255)
    small = Image.new("RGB", (side, side), "white")
    small.paste(ImageOps.fit(other, (side - 2 * edge, side - 2 * edge), Image.Resampling.BICUBIC), (edge, edge))
    picture.paste(small, at, mask.reduce(2))


def _cells(picture: Image.Image) -> Image.Image:
    """Return what is compared of a picture: a few averaged cells, without the rows where things are written on it."""
    small = picture.resize((_CELLS, _CELLS), Image.Resampling.BOX)
    return small.crop((0, _INSET_ROWS, _CELLS, _LAST_ROW))
