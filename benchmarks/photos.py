"""Pictures as heavy as photographs, in the formats that providers send."""

import io
from collections.abc import Mapping
from typing import Final

import numpy as np
from PIL import Image

_SIDE: Final = 1024
_WAVES: Final = 24
# So that the PNG has 1.5 MB: the sandbox's drawings, with their plain areas, have a tenth of that.
_GRAIN: Final = 1.6

_QUALITIES: Final[Mapping[str, Mapping[str, int]]] = {
    "png": {},
    "jpeg": {"quality": 90},
    "webp": {"quality": 88, "method": 2},
}

FORMATS: Final = tuple(_QUALITIES)
"""The formats of `photo`."""


def photo(format_: str) -> bytes:
    """Return a picture with soft shapes and grain, the same in every run.

    It has 1024 x 1024 pixels.
    """
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / _SIDE
    channels = []
    for _ in range(3):
        light = np.full((_SIDE, _SIDE), 0.5)
        for _ in range(_WAVES):
            across, down, phase = random.uniform(0.5, 9.0), random.uniform(0.5, 9.0), random.uniform(0.0, 6.3)
            light += 0.06 * np.sin(6.3 * (across * x + down * y) + phase)
        channels.append(255 * light + random.normal(0.0, _GRAIN, (_SIDE, _SIDE)))
    pixels = np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_, **_QUALITIES[format_])
    return file.getvalue()
