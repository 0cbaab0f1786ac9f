"""Models with abilities and prices, and the providers' offers.

`bot/models.toml` lists those that ship; prices, help texts and refusals are derived from them and from the table of
options.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from bot.domain.option_spec import Factor, Limit
from bot.domain.options import OPTIONS

WARNING_DAYS: Final = 30
"""Days before a model's retirement from which on its operator is warned."""


class Mode(StrEnum):
    """The starting point of a generation: text, or text and images."""

    TEXT = "text"  # the prompt alone
    EDIT = "edit"  # the prompt and pictures


@dataclass(frozen=True, slots=True, init=False)
class Abilities:
    """The limits of a model or an offer.

    `abilities["detail"]` is the limit of that option (see `Limit`). `max_inputs` is how many images an edit may start
    from, 0 if there are no edits.
    """

    max_inputs: int
    limits: Mapping[str, Limit]

    def __init__(self, *, max_inputs: int = 0, **limits: Limit) -> None:
        """Create abilities; missing limits are those of the option table.

        Raises:
            ValueError: a name is not that of an option with limits.
        """
        usual = {name: spec.limit for name, spec in OPTIONS.items() if spec.limit is not None}
        if unknown := limits.keys() - usual:
            raise ValueError(f"no options with limits: {sorted(unknown)}")
        object.__setattr__(self, "max_inputs", max_inputs)
        object.__setattr__(self, "limits", MappingProxyType(usual | limits))

    def __hash__(self) -> int:
        """Hash the abilities without the limits: a mapping has no hash."""
        return hash(self.max_inputs)

    def __getitem__(self, option: str) -> Any:
        """Return the limit of an option."""
        return self.limits[option]

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Return the modes: text always, edits if inputs are allowed."""
        return (Mode.TEXT, Mode.EDIT) if self.max_inputs else (Mode.TEXT,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as members know it.

    `id` is its name for members, commands and the database; `name` is what lists show. Prices are credits per image;
    `edit_price` is None if there are no edits; `resolution_factors` and `quality_factors` multiply them. It is off
    without `enabled`, and from the day `retires` on unless `forced`. `retired_upstream` is the day on which the maker's
    own service ended; those that resell the model may still serve it. `roles` are Discord's ids of those for whom it
    is meant; none are for everybody.
    """

    id: str
    strength: str
    text_price: int
    edit_price: int | None
    max_prompt: int
    abilities: Abilities
    name: str = ""
    resolution_factors: Mapping[str, Factor] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    quality_factors: Mapping[str, Factor] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    released: date | None = None
    retires: date | None = None
    retired_upstream: date | None = None
    note: str = ""
    enabled: bool = True
    forced: bool = False
    roles: tuple[int, ...] = ()

    @property
    def display_name(self) -> str:
        """Return the name for lists: the operator's, else the id."""
        return self.name or self.id

    def is_on(self, today: date) -> bool:
        """Return whether members can have the model on a day."""
        return self.enabled and (self.forced or self.retires is None or today < self.retires)

    def retires_soon(self, today: date) -> bool:
        """Return whether the model is on and ends within `WARNING_DAYS`."""
        if self.retires is None or self.forced or not self.is_on(today):
            return False
        return self.retires - today <= timedelta(days=WARNING_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPrice:
    """A provider's price of one image in USD, from a day on.

    `edit` is None if edits cost as much as images from text. `by_resolution` and `by_quality` have those from text with
    another price.
    """

    valid_from: date
    text: Decimal
    edit: Decimal | None = None
    by_resolution: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    by_quality: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def of(self, mode: Mode, *, resolution: str | None = None, quality: str | None = None) -> Decimal:
        """Return the price of one image.

        With both choices, the price of one grows as the other does. An edit costs as much more as at the plain price.
        """
        chosen = ((self.by_resolution, resolution), (self.by_quality, quality))
        found = [prices[choice] for prices, choice in chosen if choice is not None and choice in prices]
        amount = max(found, default=self.text)
        if len(found) == len(chosen) and self.text:
            amount = found[0] * found[1] / self.text
        return amount if mode is Mode.TEXT or self.edit is None else amount + self.edit - self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrices:
    """A provider's prices of a model's tokens, in USD per million."""

    text_in: Decimal
    image_in: Decimal
    image_out: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A provider's version of a model.

    `remote_model` is the model's name there, `remote_edit_model` the one for edits if they have their own, `shape` the
    form of its input if the provider has several. `abilities` is the provider's part of the model's abilities. The list
    prices are in order of their days. `images_per_call` is the most that one call makes, None if a call makes as many
    as a job can ask for. `token_prices` serve to compute a cost from the tokens that the provider counts.
    """

    provider: str
    model: str
    remote_model: str
    abilities: Abilities
    list_prices: tuple[ListPrice, ...] = ()
    images_per_call: int | None = None
    token_prices: TokenPrices | None = None
    remote_edit_model: str | None = None
    shape: str = ""

    def list_price(self, today: date) -> ListPrice | None:
        """Return the list price of a day, or None if unknown."""
        valid = [price for price in self.list_prices if price.valid_from <= today]
        return valid[-1] if valid else None
