"""Fingerprints of pictures, close to each other for copies.

The steps are those of Meta's PDQ: a small grey picture, the low frequencies of its cosine transform, and a bit for each
that is above their median. Scaling, re-encoding and small changes of colour flip few bits.
"""

import math
from itertools import pairwise
from operator import mul
from pathlib import Path
from statistics import median
from typing import Final

from PIL import Image

from bot.domain.images import ImageFile
from bot.images.decode import PILLOW_FORMATS, pillow_faults
from bot.images.reencode import load_upright

_SIDE: Final = 64
_FREQUENCIES: Final = 16
# A JPEG is decoded at a fraction of its size, but at no less than this.
_DRAFT_SIDE: Final = 512
_LEAST_DETAIL: Final = 50
_DETAIL_DIVISOR: Final = 90
# Without the constant part, which says how bright the picture is.
_WAVES: Final = tuple(
    tuple(math.cos(math.pi / (2 * _SIDE) * frequency * (2 * place + 1)) for place in range(_SIDE))
    for frequency in range(1, _FREQUENCIES + 1)
)


def fingerprint_file(path: Path, image_file: ImageFile) -> str | None:
    """Return the fingerprint of an image file.

    Takes processor time: run it in a worker. None if the picture is too plain to tell from others.

    Raises:
        ImageError: The file cannot be decoded.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file, pillow_faults():
        opened = Image.open(file, formats=[PILLOW_FORMATS[image_file.media_type]])
        opened.draft("RGB", (_DRAFT_SIDE, _DRAFT_SIDE))
        image, _ = load_upright(opened)
        return fingerprint(image)


def fingerprint(image: Image.Image) -> str | None:
    """Return the fingerprint of a picture as 64 hexadecimal digits.

    None if the picture is too plain.
    """
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    if small.mode == "RGBA":
        white = Image.new("RGBA", small.size, "white")
        white.alpha_composite(small)
        small = white
    pixels = small.convert("L").tobytes()
    rows = [pixels[at : at + _SIDE] for at in range(0, _SIDE * _SIDE, _SIDE)]
    columns = list(zip(*rows, strict=True))
    if _detail(rows) + _detail(columns) < _LEAST_DETAIL * _DETAIL_DIVISOR:
        return None
    across = [[sum(map(mul, wave, row)) for row in rows] for wave in _WAVES]
    values = [sum(map(mul, wave, line)) for line in across for wave in _WAVES]
    middle = median(values)
    bits = sum(1 << place for place, value in enumerate(values) if value > middle)
    return f"{bits:064x}"


def _detail(lines: list[bytes] | list[tuple[int, ...]]) -> int:
    """Return the differences of neighbouring lines in per cent."""
    return sum(
        abs(one - other) * 100 // 255
        for line, following in pairwise(lines)
        for one, other in zip(line, following, strict=True)
    )
