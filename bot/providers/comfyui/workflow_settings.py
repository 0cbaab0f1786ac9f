"""Checks of the table `workflow` in a workflow's settings file."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bot.domain.options import QUALITIES, RATIOS
from bot.providers.comfyui.workflows import DEFAULT_STEP_PIXELS, DEFAULT_STEPS

KEYS: Final = ("sizes", "steps", "multiple", "negative")

_MAX_STEPS: Final = 1000
_MAX_SIDE: Final = 8192
_SIDES: Final = 2
_SIDE_UNIT: Final = 8
_MULTIPLES: Final = (8, 16, 32, 64)
_MAX_NEGATIVE: Final = 2000
_LONGEST_KEY: Final = 40


def table_mistakes(own: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each mistake in the table."""
    for key in own:
        if key not in KEYS:
            yield f"workflow.{key[:_LONGEST_KEY]} is no key; known are: {', '.join(KEYS)}"
    if not _is_sizes(own.get("sizes", {"1:1": [_SIDE_UNIT, _SIDE_UNIT]})):
        example = '{ "16:9" = [1344, 768] }'
        takes = f"pixels by aspect ratio, multiples of {_SIDE_UNIT} up to {_MAX_SIDE}"
        yield f"workflow.sizes takes {takes}, such as {example}"
    if not _is_steps(own.get("steps", DEFAULT_STEPS)):
        example = "{ low = 8, medium = 20, high = 40 }"
        yield f"workflow.steps takes a whole number, 1 to {_MAX_STEPS}, or some by quality, such as {example}"
    multiple = own.get("multiple", DEFAULT_STEP_PIXELS)
    if type(multiple) is not int or multiple not in _MULTIPLES:
        yield f"workflow.multiple takes one of {', '.join(map(str, _MULTIPLES))}"
    negative = own.get("negative", "")
    if not isinstance(negative, str) or len(negative) > _MAX_NEGATIVE:
        yield f"workflow.negative takes a text of up to {_MAX_NEGATIVE} characters"


def _is_sizes(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(ratio in RATIOS and _is_size(size) for ratio, size in value.items())
    )


def _is_size(value: object) -> bool:
    if not isinstance(value, list) or len(value) != _SIDES:
        return False
    return all(_is_whole(side, _SIDE_UNIT, _MAX_SIDE) and side % _SIDE_UNIT == 0 for side in value)


def _is_steps(value: object) -> bool:
    if not isinstance(value, dict):
        return _is_whole(value, 1, _MAX_STEPS)
    return bool(value) and all(key in QUALITIES and _is_whole(each, 1, _MAX_STEPS) for key, each in value.items())


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
