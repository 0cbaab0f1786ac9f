"""Other models for a request without a living model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.domain.catalogue import Catalogue
from bot.domain.errors import AtelierError, FaultKind, PromptError
from bot.domain.models import Mode
from bot.domain.requests import GenerationRequest, check_prompt, offers_for, price

MOST_ALTERNATIVES: Final = 3
"""Alternatives that are one press away; more would be a list to study."""

MODEL_FAULTS: Final = frozenset({FaultKind.MODEL_UNAVAILABLE, FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY})
"""Faults of a job that another model at another provider may not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A model able to do a request, with the price of all images."""

    model: str
    price: int


def at_model(request: GenerationRequest, model_id: str, catalogue: Catalogue) -> GenerationRequest | None:
    """Return the request at another model; None if an option is beyond it."""
    moved = replace(request, model=model_id)
    model = next((each for each in catalogue.models if each.id == model_id), None)
    if model is None or not offers_for(moved, catalogue):
        return None
    try:
        check_prompt(moved.instruction, model.max_prompt)
    except PromptError:
        return None
    return moved


def alternatives(
    request: GenerationRequest, catalogue: Catalogue, is_blocked: Callable[[GenerationRequest], bool]
) -> tuple[GenerationRequest, ...]:
    """Return the request at each other model with all of its options.

    The nearest price comes first. Requests that no provider takes at present (`is_blocked`) are left out.
    """
    others = [at_model(request, model.id, catalogue) for model in catalogue.models if model.id != request.model]
    return by_nearest_price(
        [other for other in others if other is not None and not is_blocked(other)], request, catalogue
    )


def by_nearest_price(
    others: Sequence[GenerationRequest], request: GenerationRequest | None, catalogue: Catalogue
) -> tuple[GenerationRequest, ...]:
    """Return requests in order of their difference in price to `request`.

    They keep their order if its price is unknown.
    """
    before = None if request is None else _known_price(request, catalogue)
    if before is None:
        return tuple(others)
    return tuple(sorted(others, key=lambda other: abs(price(other, catalogue) - before)))


def _known_price(request: GenerationRequest, catalogue: Catalogue) -> int | None:
    """Return the price of a request; None if its model is forgotten."""
    try:
        model = catalogue.find_known(request.model)
    except AtelierError:
        return None
    if request.mode is Mode.EDIT and model.edit_price is None:
        return None
    return price(request, catalogue)
