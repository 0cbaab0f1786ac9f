"""Errors of requests: prompts, options and input images."""

from enum import StrEnum

from bot.domain.errors.alternatives import ModelOffer
from bot.domain.errors.base import AtelierError


class RequestError(AtelierError):
    """The request is impossible as asked; nothing was held."""

    code = "request"


class PromptProblem(StrEnum):
    """The fault of a prompt."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"
    ERASED = "erased"
    """It was the prompt of an earlier job and is no longer kept."""


class PromptError(RequestError):
    """The prompt is unusable; `length` and `limit` count Unicode code points.

    With `negative` it is the negative prompt.
    """

    code = "prompt"

    def __init__(self, problem: PromptProblem, *, length: int, limit: int, negative: bool = False) -> None:
        super().__init__()
        self.problem = problem
        self.length = length
        self.limit = limit
        self.negative = negative


class UnknownModelError(RequestError):
    """No model has this name; `models` are the existing ones.

    `offers` are those that were stored for the member.
    """

    code = "unknown_model"

    def __init__(self, model: str, models: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.models = models
        self.offers: tuple[ModelOffer, ...] = ()


class UnknownEffectError(RequestError):
    """The operator named no such effect; `effects` are the named ones."""

    code = "unknown_effect"

    def __init__(self, effect: str, effects: tuple[str, ...]) -> None:
        super().__init__()
        self.effect = effect
        self.effects = effects


class OptionRangeError(RequestError):
    """`value` is out of range for `option`.

    `allowed` describes the valid values (a range or a list).
    """

    code = "option_range"

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__()
        self.option = option
        self.value = value
        self.allowed = allowed


class NotOfferedError(RequestError):
    """A choice is not among the offered ones.

    It comes from an old message, an old client or a forged one.
    """

    code = "not_offered"


class UnsupportedOptionError(RequestError):
    """`model` cannot do `option` (or this `value` of it); `models` can."""

    code = "unsupported_option"

    def __init__(self, option: str, value: object, *, model: str, models: tuple[str, ...]) -> None:
        super().__init__()
        self.option = option
        self.value = value
        self.model = model
        self.models = models


class EditOnlyError(RequestError):
    """`value` of `option` is for edits, and the request has no image."""

    code = "edit_only"

    def __init__(self, option: str, value: object) -> None:
        super().__init__()
        self.option = option
        self.value = value


class ExclusiveOptionsError(RequestError):
    """`option` does not go with `value` of the `other` option.

    `allowed` are the values of the other one that go with it.
    """

    code = "exclusive_options"

    def __init__(self, option: str, *, other: str, value: str, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.option = option
        self.other = other
        self.value = value
        self.allowed = allowed


class InputProblem(StrEnum):
    """The fault of an input image, as far as it shows before the download."""

    NONE = "none"  # no image at all
    TOO_MANY = "too_many"  # images
    FOREIGN = "foreign"  # its URL is not one of Discord's
    WRONG_TYPE = "wrong_type"
    TOO_HEAVY = "too_heavy"  # bytes
    TOO_LARGE = "too_large"  # pixels
    TOO_SMALL = "too_small"
    EXPIRED = "expired"  # its URL has expired
    GONE = "gone"  # neither a URL nor a file is left


class InputError(RequestError):
    """An input image is unusable; nothing was held.

    `position` counts from 1 and is None if there is only one. `name` is the file's. `value` is the excessive or
    insufficient quantity (bytes, pixels, a type, images), `limit` the allowed one.
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
