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
_WIDEST: Final = 4.0


def pixels(ratio: str, resolution: str = "1K", *, auto: float = _AUTO) -> tuple[int, int]:
    """Return width and height: the area of a square of that resolution, in steps of 16; `auto` is the shape of auto."""
    edge, shape = _EDGES[resolution], RATIOS.get(ratio, auto)
    width, height = edge * math.sqrt(shape), edge / math.sqrt(shape)
    return round(width / _STEP) * _STEP, round(height / _STEP) * _STEP


def shape_of(width: int, height: int) -> float:
    """Return the shape that a picture made after this one has: its own, within what can be drawn."""
    return min(_WIDEST, max(1 / _WIDEST, width / height))
