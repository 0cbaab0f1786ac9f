"""Aspect ratios of edits without a chosen ratio."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.options import REVE_RATIOS, nearest_ratio
from bot.domain.requests import GenerationRequest, offers_for


def with_input_ratio(request: GenerationRequest, providers: Sequence[str]) -> GenerationRequest:
    """Return the request with the aspect ratio of its first input.

    That is only so if the request keeps that ratio and the file is here; else the request is returned unchanged. Only
    ratios that these providers can do with all the other options are used, so the request stays possible.
    """
    file = request.inputs[0].file if request.keep_aspect_ratio and request.inputs else None
    if file is None:
        return request
    able = [ratio for ratio in REVE_RATIOS if offers_for(replace(request, aspect_ratio=ratio), providers)]
    return replace(request, aspect_ratio=nearest_ratio(file.width, file.height, able)) if able else request
