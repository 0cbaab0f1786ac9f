"""Width to height: the named ratio that is nearest to a picture's own, and requests that keep their picture's form."""

import math
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.models import REVE_RATIOS
from bot.domain.requests import GenerationRequest, offers_for


def nearest_ratio(width: int, height: int, ratios: Sequence[str] = REVE_RATIOS) -> str:
    """Return which of the ratios, all of them named by two numbers, is nearest to that of these sides."""
    own = math.log(width / height)
    return min(ratios, key=lambda ratio: abs(math.log(_quotient(ratio)) - own))


def formed(request: GenerationRequest, providers: Sequence[str]) -> GenerationRequest:
    """Return a request that keeps the form of its first input with that form's ratio, once the input is here.

    Only ratios that these providers can do with all the rest of it are taken, so it stays a request that can be done.
    """
    file = request.inputs[0].file if request.keeps_form and request.inputs else None
    if file is None:
        return request
    able = [ratio for ratio in REVE_RATIOS if offers_for(replace(request, aspect_ratio=ratio), providers)]
    return replace(request, aspect_ratio=nearest_ratio(file.width, file.height, able)) if able else request


def _quotient(ratio: str) -> float:
    width, height = ratio.split(":")
    return int(width) / int(height)
