"""Sizes in pixels for providers without aspect ratios."""

import math
from typing import Final

from bot.domain.options import ratio_value

_STEP: Final = 16


def pixels(ratio: str, edge: int, *, least: int = 0) -> tuple[int, int]:
    """Return width and height in steps of 16, about as large as a square.

    The sides are rounded down, since prices go by megapixels begun; up if the area would be below `least`.
    """
    root = math.sqrt(ratio_value(ratio))
    steps = [round(side / _STEP, 6) for side in (edge * root, edge / root)]
    width, height = (math.floor(each) * _STEP for each in steps)
    if width * height < least:
        width, height = (math.ceil(each) * _STEP for each in steps)
    return width, height
