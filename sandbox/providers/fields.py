"""Checks of request fields by documented limits."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Check = Callable[[Any], Any]

_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")
_STEP_PIXELS: Final = 16
_MIN_EDGE_PIXELS: Final = 64
_MAX_EDGE_PIXELS: Final = 3840
_MIN_PIXELS: Final = 655_360
_MAX_PIXELS: Final = 8_294_400
_MAX_SHAPE: Final = 3


class FieldError(ValueError):
    """An invalid field; its text is the reason."""

    def __init__(self, reason: str, *, name: str | None = None, code: str = "invalid_value") -> None:
        super().__init__(reason)
        self.name = name
        self.code = code


def choice(*values: str) -> Check:
    """Return a check for one of some words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise FieldError(f"supported values are {', '.join(values)}")
        return value

    return check


def integer(least: int, most: int) -> Check:
    """Return a check for an integer in a range."""

    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise FieldError(f"expected an integer from {least} to {most}")
        return value

    return check


def number(least: float, most: float) -> Check:
    """Return a check for a number in a range."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise FieldError(f"expected a number from {least} to {most}")
        return float(value)

    return check


def boolean(value: Any) -> bool:
    """Return a boolean.

    Raises:
        FieldError: It is something else.
    """
    if not isinstance(value, bool):
        raise FieldError("expected a boolean")
    return value


def text(most: int) -> Check:
    """Return a check for a text of limited length."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise FieldError("expected a string that is not empty")
        if len(value) > most:
            raise FieldError(f"string too long: expected at most {most} characters, got {len(value)}")
        return value

    return check


def anything(value: Any) -> Any:
    """Return a value unchecked."""
    return value


def plain_size(value: Any) -> tuple[int, int]:
    """Return the pixels of `WxH`, for services without documented limits.

    Raises:
        FieldError: It is no size, or too large to draw.
    """
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise FieldError("expected WIDTHxHEIGHT")
    width, height = int(found[1]), int(found[2])
    if not all(_MIN_EDGE_PIXELS <= edge <= _MAX_EDGE_PIXELS for edge in (width, height)):
        raise FieldError(f"each side must have {_MIN_EDGE_PIXELS} to {_MAX_EDGE_PIXELS} pixels")
    return width, height


def openai_size(value: Any) -> tuple[int, int] | None:
    """Return the pixels of `WxH` within OpenAI's limits; None for `auto`.

    Raises:
        FieldError: A limit is exceeded.
    """
    if value == "auto":
        return None
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise FieldError("expected auto or WIDTHxHEIGHT")
    width, height = int(found[1]), int(found[2])
    if width % _STEP_PIXELS or height % _STEP_PIXELS:
        raise FieldError("width and height must be multiples of 16")
    if max(width, height) > _MAX_EDGE_PIXELS:
        raise FieldError("the longest edge must not exceed 3840 pixels")
    if not _MIN_PIXELS <= width * height <= _MAX_PIXELS:
        raise FieldError("the total must be 655360 to 8294400 pixels")
    if max(width, height) > _MAX_SHAPE * min(width, height):
        raise FieldError("the aspect ratio must be between 1:3 and 3:1")
    return width, height


def check_fields(body: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return the checked values of a body.

    Raises:
        FieldError: A field is unknown or invalid; it is named.
    """
    values = {}
    for name, value in body.items():
        if name not in checks:
            raise FieldError(f"Unknown parameter: '{name}'.", name=name, code="unknown_parameter")
        try:
            values[name] = checks[name](value)
        except FieldError as error:
            raise FieldError(f"Invalid value for '{name}': {error}.", name=name, code=error.code) from error
    return values
