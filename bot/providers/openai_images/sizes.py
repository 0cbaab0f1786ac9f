"""Pixels of an aspect ratio at a resolution."""

import math
from typing import Final

from bot.domain.options import ratio_value

AUTO: Final = "auto"

# Limits of OpenAI's image models: steps of 16 pixels, up to 8,294,400 pixels, an edge of up to 3,840, and at most 3:1.
# A named ratio is one of the offer's.
_STEP: Final = 16
_MAX_PIXELS: Final = 8_294_400
_MAX_EDGE: Final = 3840
_MAX_RATIO: Final = 3.0
_EDGES: Final = {"1K": 1024, "2K": 2048, "4K": 4096}
_USUAL: Final = "1K"


def pixels(aspect_ratio: str, resolution: str | None, *, source: tuple[int, int] | None = None) -> str | None:
    """Return a size such as `1024x1024`.

    Its area is that of a square of the resolution, or the largest possible. The ratio "auto" is that of `source`, the
    sides of the first input; without one, the result is None.
    """
    if ":" in aspect_ratio:
        ratio = ratio_value(aspect_ratio)
    elif source is not None:
        ratio = min(_MAX_RATIO, max(1 / _MAX_RATIO, source[0] / source[1]))
    else:
        return None
    area = min(_EDGES[resolution or _USUAL] ** 2, _MAX_PIXELS)
    width = min(_MAX_EDGE, math.sqrt(area * ratio))
    height = min(_MAX_EDGE, width / ratio)
    width = height * ratio
    rounded = [max(_STEP, round(side / _STEP) * _STEP) for side in (width, height)]
    while rounded[0] * rounded[1] > _MAX_PIXELS or (source is not None and max(rounded) > _MAX_RATIO * min(rounded)):
        rounded[rounded.index(max(rounded))] -= _STEP
    return "x".join(map(str, rounded))
