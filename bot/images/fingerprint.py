"""Fingerprints of pictures, close to each other for copies.

The steps are those of Meta's PDQ: a small grey picture, the low frequencies of its cosine transform, and a bit for each
that is above their median. Scaling, re-encoding and small changes of colour flip few bits.
"""

import math
from contextlib import suppress
from itertools import pairwise
from operator import mul
from statistics import median
from typing import Final

from PIL import ExifTags, Image, ImageOps

_SIDE: Final = 64
_FREQUENCIES: Final = 16
DRAFT_SIDE: Final = 512
"""Pixels of a side that suffice for a fingerprint."""
_UPRIGHT: Final = 1
_LEAST_DETAIL: Final = 50
_DETAIL_DIVISOR: Final = 90
# Without the constant part, which says how bright the picture is.
_WAVES: Final = tuple(
    tuple(math.cos(math.pi / (2 * _SIDE) * frequency * (2 * place + 1)) for place in range(_SIDE))
    for frequency in range(1, _FREQUENCIES + 1)
)


def fingerprint(image: Image.Image) -> str | None:
    """Return the fingerprint of a decoded picture as 64 hexadecimal digits.

    It is the one of the picture as it is shown, upright. None if the picture is too plain.
    """
    pixels = _small(image).tobytes()
    rows = [pixels[at : at + _SIDE] for at in range(0, _SIDE * _SIDE, _SIDE)]
    columns = list(zip(*rows, strict=True))
    if _detail(rows) + _detail(columns) < _LEAST_DETAIL * _DETAIL_DIVISOR:
        return None
    across = [[sum(map(mul, wave, row)) for row in rows] for wave in _WAVES]
    values = [sum(map(mul, wave, line)) for line in across for wave in _WAVES]
    middle = median(values)
    bits = sum(1 << place for place, value in enumerate(values) if value > middle)
    return f"{bits:064x}"


def _small(image: Image.Image) -> Image.Image:
    """Return a picture upright in grey, with `_SIDE` pixels a side."""
    with suppress(Exception):  # broken EXIF is no reason to lose the fingerprint
        if image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT) != _UPRIGHT:
            image = ImageOps.exif_transpose(image)  # it copies in any case
    if image.mode.startswith("I"):
        # 16 bits a pixel, which Pillow would clip to white.
        image = image.point(lambda value: value * (1 / 256))
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
    elif image.mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    if small.mode == "RGBA":
        white = Image.new("RGBA", small.size, "white")
        white.alpha_composite(small)
        small = white
    return small.convert("L")


def _detail(lines: list[bytes] | list[tuple[int, ...]]) -> int:
    """Return the differences of neighbouring lines in per cent."""
    return sum(
        abs(one - other) * 100 // 255
        for line, following in pairwise(lines)
        for one, other in zip(line, following, strict=True)
    )
