"""Drawing of edits: the first input recoloured, the others as insets.

A person recognizes the photo. A test can tell from the pixels which image was edited.
"""

import io
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from sandbox.providers.image_effects import apply_effect
from sandbox.providers.palettes import PALETTES
from sandbox.providers.watermark import read_mark

_PALETTE_SHARE: Final = 0.5
"""Share of the palette in an edit; the rest is the photo's own colours."""

_CELLS: Final = 16
_INSET_ROWS: Final = 5  # rows at the top that insets may cover
_LAST_ROW: Final = 14  # caption and mark are below this row
_MAX_TONE_DIFFERENCE: Final = 18.0  # mean difference in tones of 256


def draw_edit(mark: int, pictures: tuple[bytes, ...], width: int, height: int) -> Image.Image:
    """Return an edit as an RGB image of the given size.

    `pictures` are its encoded inputs; the first one is the edited photo.
    """
    photo, *others = (_open_rgb(each) for each in pictures)
    picture = _apply_palette(ImageOps.fit(photo, (width, height), Image.Resampling.BICUBIC), mark)
    _blur_caption(picture)
    side = max(12, min(width, height) // 6)
    gap = max(2, side // 8)
    for at, other in enumerate(others):
        columns = max(1, (width - gap) // (side + gap))
        left = width - (at % columns + 1) * (side + gap)
        _paste_inset(picture, other, (left, gap + at // columns * (side + gap)), side)
    return picture


def keep_masked(edit: Image.Image, source: bytes, mask: bytes) -> Image.Image:
    """Return an edit with the source's pixels in the mask's opaque part."""
    photo = ImageOps.fit(_open_rgb(source), edit.size, Image.Resampling.BICUBIC)
    with Image.open(io.BytesIO(mask)) as opened:
        opaque = ImageOps.fit(opened.convert("L"), edit.size, Image.Resampling.BICUBIC)
    return Image.composite(photo, edit, opaque)


def derives_from(picture: bytes, source: bytes, *, effect: str | None = None) -> bool:
    """Return whether an encoded image is a fake's edit of `source`.

    `source` is the edit's first input. The image may have been scaled and compressed since. An effect replaces all
    colours, so `effect` must name it.
    """
    made, photo = _open_rgb(picture), _open_rgb(source)
    expected = _apply_palette(ImageOps.fit(photo, made.size, Image.Resampling.BICUBIC), read_mark(picture))
    if effect is not None:
        expected = apply_effect(expected, effect)
    difference = ImageChops.difference(_comparison_cells(made), _comparison_cells(expected)).convert("L")
    return bool(ImageStat.Stat(difference).mean[0] < _MAX_TONE_DIFFERENCE)


def _open_rgb(encoded: bytes) -> Image.Image:
    with Image.open(io.BytesIO(encoded)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    flat = Image.new("RGB", upright.size, "white")
    flat.paste(upright, mask=upright.getchannel("A"))
    return flat


def _apply_palette(photo: Image.Image, mark: int) -> Image.Image:
    """Return the photo in the palette of the scene with this mark."""
    palette = Random(mark).choice(PALETTES)  # noqa: S311 - a drawing, not a secret
    tones = ImageOps.colorize(photo.convert("L"), palette.near, palette.horizon, mid=palette.middle)
    return Image.blend(photo, tones, _PALETTE_SHARE)


def _blur_caption(picture: Image.Image) -> None:
    """Blur an earlier caption at the bottom; the edit writes its own there."""
    below = (0, picture.height * (_CELLS - 1) // _CELLS, picture.width, picture.height)
    picture.paste(picture.crop(below).filter(ImageFilter.GaussianBlur(picture.height / 48)), below[:2])


def _paste_inset(picture: Image.Image, other: Image.Image, at: tuple[int, int], side: int) -> None:
    """Paste another input as a small square with a light edge."""
    edge = max(1, side // 32)
    mask = Image.new("L", (side * 2, side * 2))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 2 - 1, side * 2 - 1), radius=side // 4, fill=255)
    small = Image.new("RGB", (side, side), "white")
    small.paste(ImageOps.fit(other, (side - 2 * edge, side - 2 * edge), Image.Resampling.BICUBIC), (edge, edge))
    picture.paste(small, at, mask.reduce(2))


def _comparison_cells(picture: Image.Image) -> Image.Image:
    """Return a few averaged cells, without the rows of insets and caption."""
    small = picture.resize((_CELLS, _CELLS), Image.Resampling.BOX)
    return small.crop((0, _INSET_ROWS, _CELLS, _LAST_ROW))
