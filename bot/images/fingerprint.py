"""Fingerprints of pictures, close to each other for copies.

The steps are those of Meta's PDQ: a small grey picture, the low frequencies of its cosine transform, and a bit for each
that is above their median. Scaling, re-encoding and small changes of colour flip few bits.
"""

from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

_SIDE: Final = 64
_FREQUENCIES: Final = 16
DRAFT_SIDE: Final = 512
"""Pixels of a side that suffice for a fingerprint."""
_UPRIGHT: Final = 1
_LEAST_DETAIL: Final = 50
_DETAIL_DIVISOR: Final = 90
# Without the constant part, which says how bright the picture is.
_WAVES: Final = np.cos(
    np.pi / (2 * _SIDE) * np.outer(np.arange(1, _FREQUENCIES + 1), 2 * np.arange(_SIDE) + 1)  # a row for each frequency
)


def fingerprint(image: Image.Image) -> str | None:
    """Return the fingerprint of a decoded picture as 64 hexadecimal digits.

    It is the one of the picture as it is shown, upright. None if the picture is too plain.
    """
    pixels = np.asarray(_small(image), dtype=np.int64)
    if _detail(pixels) < _LEAST_DETAIL * _DETAIL_DIVISOR:
        return None
    values = (_WAVES @ pixels @ _WAVES.T).T.ravel()
    bits = values > np.median(values)
    return np.packbits(bits, bitorder="little")[::-1].tobytes().hex()


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


def _detail(pixels: NDArray[np.int64]) -> int:
    """Return the differences of neighbouring pixels in per cent."""
    return int(sum((np.abs(np.diff(pixels, axis=axis)) * 100 // 255).sum() for axis in (0, 1)))
