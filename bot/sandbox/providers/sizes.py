"""The pixels of an aspect ratio at a resolution."""

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
_EDGES: Final = {"1K": 1024, "2K": 2048, "4K": 4096}
_AUTO: Final = 3 / 2
_STEP: Final = 16


def pixels(ratio: str, resolution: str = "1K") -> tuple[int, int]:
    """Return width and height: the area of a square of that resolution, in steps of 16; `auto` is 3:2 here."""
    edge, shape = _EDGES[resolution], RATIOS.get(ratio, _AUTO)
    width, height = edge * math.sqrt(shape), edge / math.sqrt(shape)
    return round(width / _STEP) * _STEP, round(height / _STEP) * _STEP
