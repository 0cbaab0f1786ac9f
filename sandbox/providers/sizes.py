"""Pixels of an aspect ratio at a resolution."""

import math
from typing import Final

RATIOS: Final = {
    "16:9": 16 / 9,
    "3:2": 3 / 2,
    "4:3": 4 / 3,
    "1:1": 1.0,
    "3:4": 3 / 4,
    "2:3": 2 / 3,
    "9:16": 9 / 16,
}
_EDGE_PIXELS: Final = {"1K": 1024, "2K": 2048, "4K": 4096}
_AUTO: Final = 3 / 2
_STEP_PIXELS: Final = 16
_MAX_RATIO: Final = 4.0


def pixels(ratio: str, resolution: str = "1K", *, auto: float = _AUTO) -> tuple[int, int]:
    """Return width and height, in steps of 16 pixels.

    The area is that of a square of the resolution. `auto` is the ratio of `auto`.
    """
    return area_pixels(_EDGE_PIXELS[resolution], RATIOS.get(ratio, auto))


def area_pixels(edge: int, shape: float) -> tuple[int, int]:
    """Return width and height of a ratio, with the area of a square."""
    width, height = edge * math.sqrt(shape), edge / math.sqrt(shape)
    return round(width / _STEP_PIXELS) * _STEP_PIXELS, round(height / _STEP_PIXELS) * _STEP_PIXELS


def ratio_within_limits(width: int, height: int) -> float:
    """Return the aspect ratio of an image, limited to the range 1:4 to 4:1."""
    return min(_MAX_RATIO, max(1 / _MAX_RATIO, width / height))
