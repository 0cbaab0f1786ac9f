"""What each model of a studio would cost, or cannot do, while a member is still choosing options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.domain.catalogue import Model, offered_models
from bot.domain.errors import OptionRangeError, RequestError
from bot.domain.requests import generation_request, price

_KINDS: Final[Mapping[str, type]] = {
    "aspect_ratio": str,
    "images": int,
    "detail": int,
    "format": str,
    "resolution": str,
    "upscale": str,
    "remove_background": bool,
    "fit": str,
    "effect": str,
    "version": str,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A model with the price of all pictures, or with the reason why it cannot do what was chosen."""

    model: Model
    price: int | None = None
    obstacle: RequestError | None = None


def quotes(chosen: Mapping[str, Any], providers: Sequence[str]) -> tuple[Quote, ...]:
    """Return a quote for each model that these providers offer.

    `chosen` are options as they come from a command that is still being written: what is no option, or no value of
    one, counts as not chosen.
    """
    options = {name: value for name, value in chosen.items() if name in _KINDS and type(value) is _KINDS[name]}
    return tuple(_quote(model, options, providers) for model in offered_models(providers))


def _quote(model: Model, options: Mapping[str, Any], providers: Sequence[str]) -> Quote:
    try:
        request = generation_request(prompt="-", model=model.id, **options, providers=providers)
    except OptionRangeError as error:
        return _quote(model, {name: value for name, value in options.items() if name != error.option}, providers)
    except RequestError as error:
        return Quote(model=model, obstacle=error)
    return Quote(model=model, price=price(request))
