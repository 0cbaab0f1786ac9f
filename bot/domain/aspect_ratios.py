"""Aspect ratios of edits without a chosen ratio, and of delivered images."""

from dataclasses import replace
from typing import Final

from bot.domain.catalogue import Catalogue
from bot.domain.options import RATIOS, nearest_ratio, ratio_value
from bot.domain.requests import GenerationRequest, offers_for

# Providers round to their own sizes (1792x1024 for 16:9); neighbouring ratios are 6.2 % and more apart.
_TOLERANCE: Final = 0.06
_NAMED: Final = tuple(ratio for ratio in RATIOS if ":" in ratio)


def has_ratio(width: int, height: int, ratio: str) -> bool:
    """Return whether sides in pixels are nearly in an aspect ratio.

    Any sides are in the ratio "auto". A small image may be off by one pixel.
    """
    if ":" not in ratio:
        return True
    wanted = ratio_value(ratio)
    if abs(width - wanted * height) <= 1 or abs(height - width / wanted) <= 1:
        return True
    return abs(width / height / wanted - 1) <= _TOLERANCE


def with_input_ratio(request: GenerationRequest, catalogue: Catalogue) -> GenerationRequest:
    """Return the request with the aspect ratio of its first input.

    That is only so if the request keeps that ratio and the file is here; else the request is returned unchanged. Only
    ratios that this studio can do with all the other options are used, so the request stays possible.
    """
    file = request.inputs[0].file if request.keep_aspect_ratio and request.inputs else None
    if file is None:
        return request
    able = [ratio for ratio in _NAMED if offers_for(replace(request, aspect_ratio=ratio), catalogue)]
    return replace(request, aspect_ratio=nearest_ratio(file.width, file.height, able)) if able else request
