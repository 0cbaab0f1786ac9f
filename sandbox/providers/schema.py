"""Validation of JSON bodies with the error lists of pydantic and FastAPI."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_STEP_PIXELS: Final = 16
_MAX_QUOTED_CHARS: Final = 2_000


class Mismatch(Exception):  # noqa: N818 - caught by `validate`, never seen outside
    """An unacceptable value of a field, with pydantic's error type."""

    def __init__(self, type_: str, message: str, *, at: tuple[str | int, ...] = (), **context: Any) -> None:
        super().__init__(message)
        self.type = type_
        self.message = message
        self.at = at
        self.context = context


Validator = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a body: `parse` returns the value or raises `Mismatch`."""

    parse: Validator
    default: Any = None
    required: bool = False


Schema = Mapping[str, Field]


def validate(schema: Schema, body: Any, *, extra: bool = True) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a body's values and its errors; unknown fields are dropped.

    Without `extra` an unknown field is an error. As at the real APIs, an error quotes the refused value.
    """
    if not isinstance(body, dict):
        return {}, [build_error("model_attributes_type", "Input should be a valid dictionary", ("body",), body)]
    values: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for name, field in schema.items():
        if body.get(name) is None:
            values[name] = field.default
            if field.required:
                errors.append(build_error("missing", "Field required", ("body", name), body))
            continue
        try:
            values[name] = field.parse(body[name])
        except Mismatch as error:
            location = ("body", name, *error.at)
            errors.append(build_error(error.type, error.message, location, body[name], **error.context))
    if not extra:
        errors += [
            build_error("extra_forbidden", "Extra inputs are not permitted", ("body", name), body[name])
            for name in body
            if name not in schema
        ]
    return values, errors


def build_error(
    type_: str, message: str, location: tuple[str | int, ...], quoted: Any, **context: Any
) -> dict[str, Any]:
    """Return an error as FastAPI lists it, with the refused input."""
    if isinstance(quoted, str):
        quoted = quoted[:_MAX_QUOTED_CHARS]
    error = {"type": type_, "loc": list(location), "msg": message, "input": quoted}
    return error | ({"ctx": context} if context else {})


def text(*, most: int = 50_000, least: int = 1) -> Validator:
    """Return a validator of strings of `least` to `most` characters."""

    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise Mismatch("string_type", "Input should be a valid string")
        if len(value) < least:
            message = f"String should have at least {least} character{'s' if least > 1 else ''}"
            raise Mismatch("string_too_short", message, min_length=least)
        if len(value) > most:
            raise Mismatch("string_too_long", f"String should have at most {most} characters", max_length=most)
        return value

    return parse


def choice(*values: str) -> Validator:
    """Return a validator of these strings."""
    *others, last = (repr(value) for value in values)
    expected = f"{', '.join(others)} or {last}" if others else last

    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise Mismatch("literal_error", f"Input should be {expected}", expected=expected)
        return value

    return parse


def integer(least: int, most: int, *, step: int = 1) -> Validator:
    """Return a validator of integers in a range, in multiples of `step`."""

    def parse(value: Any) -> int:
        if type(value) is not int:
            raise Mismatch("int_type", "Input should be a valid integer")
        _check_range(value, least, most)
        if value % step:
            raise Mismatch("multiple_of", f"Input should be a multiple of {step}", multiple_of=step)
        return value

    return parse


def number(least: float, most: float) -> Validator:
    """Return a validator of finite numbers in a range."""

    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Mismatch("float_type", "Input should be a valid number")
        _check_range(value, least, most)
        return float(value)

    return parse


def boolean(value: Any) -> bool:
    """Return a boolean.

    Raises:
        Mismatch: The value is none.
    """
    if not isinstance(value, bool):
        raise Mismatch("bool_type", "Input should be a valid boolean")
    return value


def texts(most: int, *, least: int = 1) -> Validator:
    """Return a validator of lists of `least` to `most` strings."""
    parse_text = text(most=64 * 1024 * 1024)

    def parse(value: Any) -> list[str]:
        if not isinstance(value, list):
            raise Mismatch("list_type", "Input should be a valid list")
        if len(value) < least:
            raise Mismatch("too_short", f"List should have at least {least} item after validation", min_length=least)
        if len(value) > most:
            raise Mismatch("too_long", f"List should have at most {most} items after validation", max_length=most)
        parsed = []
        for at, each in enumerate(value):
            try:
                parsed.append(parse_text(each))
            except Mismatch as error:
                raise Mismatch(error.type, error.message, at=(at,), **error.context) from error
        return parsed

    return parse


def ratio_pixels(ratio: str | float, edge: int) -> tuple[int, int]:
    """Return width and height in steps of 16 pixels, as large as a square.

    `ratio` is `width:height` or their quotient; `edge` is the square's side.
    """
    if isinstance(ratio, str):
        width, _, height = ratio.partition(":")
        ratio = int(width) / int(height)
    wide, high = edge * math.sqrt(ratio), edge / math.sqrt(ratio)
    return tuple(max(1, round(side / _STEP_PIXELS)) * _STEP_PIXELS for side in (wide, high))  # type: ignore[return-value]


def _check_range(value: float, least: float, most: float) -> None:
    if value < least:
        raise Mismatch("greater_than_equal", f"Input should be greater than or equal to {least}", ge=least)
    if value > most:
        raise Mismatch("less_than_equal", f"Input should be less than or equal to {most}", le=most)
