"""Description of an image option: values, limits, prices and words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final, Protocol

from bot.domain.errors import OptionRangeError
from bot.domain.lazy_text import LazyText

MAX_WORD: Final = 64
"""Characters of an option that is typed freely, such as an effect's name."""

Size = tuple[int, int]
"""Width and height in pixels."""
Factor = int | Decimal
"""A factor of a model's price; the price is rounded up."""
Limit = tuple[Any, ...] | int
"""The limit of a model: its values, its highest number, or (a bool) whether it has the option at all."""


class Stage(Enum):
    """A stage of a generation, with its options.

    It decides which follow-ups of a job keep the option.
    """

    RESULT = auto()  # the form of the result image: every follow-up keeps it
    COUNT = auto()  # how many images: only a variation keeps it
    GENERATION = auto()  # how the image is generated: a new prompt keeps it, an upscale does not
    PROCESSING = auto()  # what is done to the finished image: a reference does not keep it


class ModelPrices(Protocol):
    """The prices of a model, as options need them."""

    @property
    def resolution_factors(self) -> Mapping[str, Factor]:
        """Return the factors of the price by resolution; others are 1."""
        ...

    @property
    def quality_factors(self) -> Mapping[str, Factor]:
        """Return the factors of the price by quality; others are 1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingTexts:
    """The texts of an option in `/settings`.

    `name` is shown on the panel, `description` in the slash command.
    """

    name: LazyText
    description: LazyText


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OptionSpec:
    """Everything the product knows about one image option.

    A value has three forms: *typed* (as a member writes it and a preset keeps it: "2x"), the *value* in
    a `GenerationRequest` (2), and its JSON in the database (`dump`, `load`). None, False and "" mean: not asked for.

    - `name`, `kind`, `description`: the option of the slash command; `edit_description` replaces the last in `/edit`.
    - `default`: the value unless chosen. `choices`: typed form to value, `labels`: their names for members, if they are
      words; `maximum`: of a number, from `minimum` up.
    - `parse`: turns a free text into the value, or raises `OptionRangeError`. `free_text`: shown escaped.
      `max_length`: characters that Discord takes of it. `private`: as secret as a prompt, and shown like one.
    - `suggestions`: offered while one types, with their labels; matched anywhere or only by their beginning.
    - `limit`: how far a model or an offer goes unless it says otherwise; None if every model has the option.
    - `open_default`: the default unless chosen asks for nothing, so an offer without it, or without any value, will do.
    - `substitute`: the value for an offer that cannot do the wanted one, from its limit and the input image's size.
    - `needs`: another option and the values of it that this option goes with.
    - `edits_only`: values for requests with an input image; edits alone suggest them.
    - `stage`: see `Stage`. `setting`: set if a member can have an own default (a field of `Preferences`).
    - `always_stored`: the first release reads it from every row; other options are stored only if asked for.
    - `multiplier`: multiplies the model's price; `surcharge`: credits that it adds to an image, for each value or any.
    - `label`: its name within a sentence; `refusal`: follows the name of a model that cannot do it.
    - `card`: its words on cards and presets, from the typed form. `always_on_card`: even at its default.
      `card_after`: the option that it follows there, if not the one before it in this table.
    - `help`: its words in `/help`, from the model's limit; `surcharge_help`: from the formatted credits.
    """

    name: str
    kind: type[str] | type[int] | type[bool]
    description: LazyText
    edit_description: LazyText | None = None
    default: Any = None
    choices: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    minimum: int = 1
    maximum: int | None = None
    parse: Callable[[str], Any] | None = None
    free_text: bool = False
    max_length: int = MAX_WORD
    private: bool = False
    suggestions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    suggest_by_prefix: bool = False
    limit: Limit | None = None
    open_default: bool = False
    substitute: Callable[[tuple[Any, ...], Size | None], Any] | None = None
    needs: tuple[str, tuple[Any, ...]] | None = None
    edits_only: tuple[Any, ...] = ()
    stage: Stage
    setting: SettingTexts | None = None
    always_stored: bool = False
    dump: Callable[[Any], Any] = lambda value: value
    load: Callable[[Any], Any] = lambda stored: stored
    multiplier: Callable[[Any, ModelPrices], Factor] | None = None
    surcharge: int | Mapping[Any, int] | None = None
    label: LazyText | None = None
    refusal: LazyText | None = None
    card: Callable[[Any], str] = str
    always_on_card: bool = False
    card_after: str | None = None
    help: Callable[[Any, ModelPrices], str | None] | None = None
    surcharge_help: Callable[[str], LazyText] | None = None

    @property
    def is_typed_freely(self) -> bool:
        """True if Discord accepts any text for the option."""
        return self.kind is str and not self.choices

    def value_of(self, typed: Any) -> Any:
        """Return the value of a typed form; the default for None.

        Raises:
            OptionRangeError: no model takes the value.
        """
        if typed is None:
            return self.default
        if self.parse is not None:
            return self.parse(typed)
        if self.choices:
            if typed not in self.choices:
                raise OptionRangeError(self.name, typed, ", ".join(self.choices))
            return self.choices[typed]
        if self.maximum is not None and not self.minimum <= typed <= self.maximum:
            raise OptionRangeError(self.name, typed, _range(self.minimum, self.maximum))
        return typed

    def typed(self, value: Any) -> Any:
        """Return a value in its typed form; None stays None."""
        if self.kind is not str or value is None:
            return value
        return next((typed for typed, chosen in self.choices.items() if chosen == value), str(value))

    def is_asked(self, value: Any) -> bool:
        """Return whether a value asks for anything."""
        return value is not None and value is not False and value != ""

    def is_within(self, limit: Limit, value: Any) -> bool:
        """Return whether a limit allows a value."""
        if not self.is_asked(value):
            return True
        if isinstance(limit, bool):
            return limit
        return value in limit if isinstance(limit, tuple) else value <= limit

    def widest(self, most: Limit, limits: Sequence[Limit]) -> Limit:
        """Return the union of limits.

        Choices are in the order of `most`.
        """
        if isinstance(most, tuple):
            return tuple(each for each in most if any(isinstance(one, tuple) and each in one for one in limits))
        return max(one for one in limits if isinstance(one, int))

    def fallback(self, limit: Limit, size: Size | None) -> Any:
        """Return the value to use if the wanted one is beyond a limit.

        `size` is that of the first input image.
        """
        if self.open_default:
            return self.default
        if isinstance(limit, tuple):
            if self.substitute is not None:
                return self.substitute(limit, size)
            return None if self.default is None else limit[0]
        return self.default if isinstance(limit, bool) else limit

    def surcharge_of(self, value: Any) -> int:
        """Return the credits added to each image by a value."""
        if self.surcharge is None or not self.is_asked(value):
            return 0
        return self.surcharge if isinstance(self.surcharge, int) else self.surcharge[value]


def _range(lowest: int, highest: int) -> LazyText:
    return LazyText("{lowest} to {highest}", lowest=lowest, highest=highest)
