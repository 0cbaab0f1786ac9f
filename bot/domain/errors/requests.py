"""Errors of requests: prompts, options and input images."""

from enum import StrEnum

from bot.domain.errors.base import AtelierError


class RequestError(AtelierError):
    """What was asked for cannot be done as asked; nothing was held."""

    code = "request"


class PromptProblem(StrEnum):
    """What is wrong with a prompt."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"


class PromptError(RequestError):
    """The prompt is unusable; `length` and `limit` count Unicode code points."""

    code = "prompt"

    def __init__(self, problem: PromptProblem, *, length: int, limit: int) -> None:
        super().__init__()
        self.problem = problem
        self.length = length
        self.limit = limit


class UnknownModelError(RequestError):
    """No model of this name; `models` are the names that exist."""

    code = "unknown_model"

    def __init__(self, model: str, models: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.models = models


class OptionRangeError(RequestError):
    """`value` is not among what `option` takes, which `allowed` describes (a range or a list)."""

    code = "option_range"

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__()
        self.option = option
        self.value = value
        self.allowed = allowed


class UnsupportedOptionError(RequestError):
    """`model` cannot do `option` (or this `value` of it); `models` can."""

    code = "unsupported_option"

    def __init__(self, option: str, value: object, *, model: str, models: tuple[str, ...]) -> None:
        super().__init__()
        self.option = option
        self.value = value
        self.model = model
        self.models = models


class ExclusiveOptionsError(RequestError):
    """`option` does not go with this `value` of the `other` one, which takes only what is `allowed` then."""

    code = "exclusive_options"

    def __init__(self, option: str, *, other: str, value: str, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.option = option
        self.other = other
        self.value = value
        self.allowed = allowed


class InputProblem(StrEnum):
    """What is wrong with a picture to start from, as far as can be told before it is fetched."""

    NONE = "none"  # nothing there to start from
    TOO_MANY = "too_many"  # pictures
    FOREIGN = "foreign"  # not where Discord keeps files
    WRONG_TYPE = "wrong_type"
    UNMEASURED = "unmeasured"  # Discord found no width and height in it, so it is no picture
    TOO_HEAVY = "too_heavy"  # bytes
    TOO_LARGE = "too_large"  # a side, or pixels
    TOO_SMALL = "too_small"
    EXPIRED = "expired"  # its address has run out
    SHORT_LIVED = "short_lived"  # its address may run out before the job ends, and we have none of our own
    ANIMATED = "animated"  # it would have to be changed first, and we have no address of our own to give that from
    GONE = "gone"  # neither an address nor a file is left


class InputError(RequestError):
    """A picture to start from cannot be used; nothing was held.

    `position` counts from 1 and is None where there is but one. `name` is the file's, `value` what it has too much or
    too little of (bytes, pixels, a type, pictures), `limit` what it may have.
    """

    code = "input"

    def __init__(
        self,
        problem: InputProblem,
        *,
        position: int | None = None,
        name: str = "",
        value: int | str | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self.problem = problem
        self.position = position
        self.name = name
        self.value = value
        self.limit = limit
