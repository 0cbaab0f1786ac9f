"""Prices of all models while a member is still choosing options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.catalogue import Catalogue
from bot.domain.errors import OptionRangeError, RequestError
from bot.domain.images import InputImage
from bot.domain.models import Model
from bot.domain.option_resolution import chosen_request
from bot.domain.options import OPTIONS
from bot.domain.preferences import NO_PREFERENCES, Preferences
from bot.domain.presets import Preset
from bot.domain.requests import price


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A model with the price of all images, or the obstacle.

    `obstacle` is the reason why the model cannot do the chosen options.
    """

    model: Model
    price: int | None = None
    obstacle: RequestError | None = None


def quotes(
    chosen: Mapping[str, Any],
    catalogue: Catalogue,
    *,
    preset: Preset | None = None,
    preferences: Preferences = NO_PREFERENCES,
    inputs: tuple[InputImage, ...] = (),
) -> tuple[Quote, ...]:
    """Return a quote for each model of this studio.

    `chosen` are the options of a command that is still being written: unknown names and invalid values are ignored.
    """
    options = {name: value for name, value in chosen.items() if name in OPTIONS and type(value) is OPTIONS[name].kind}

    def quote(model: Model, options: Mapping[str, Any]) -> Quote:
        try:
            request = chosen_request(
                prompt="-",
                options={**options, "model": model.id},
                catalogue=catalogue,
                preset=preset,
                preferences=preferences,
                inputs=inputs,
            )
        except OptionRangeError as error:
            if error.option not in options:
                return Quote(model=model, obstacle=error)
            return quote(model, {name: value for name, value in options.items() if name != error.option})
        except RequestError as error:
            return Quote(model=model, obstacle=error)
        return Quote(model=model, price=price(request, catalogue))

    return tuple(quote(model, options) for model in catalogue.models)
