"""What each model of a studio would cost, or cannot do, while a member is still choosing options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import OptionRangeError, RequestError
from bot.domain.images import InputImage
from bot.domain.models import Model, offered_models
from bot.domain.option_resolution import chosen_request
from bot.domain.options import OPTIONS
from bot.domain.preferences import NO_PREFERENCES, Preferences
from bot.domain.presets import Preset
from bot.domain.requests import price


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A model with the price of all pictures, or with the reason why it cannot do what was chosen."""

    model: Model
    price: int | None = None
    obstacle: RequestError | None = None


def quotes(
    chosen: Mapping[str, Any],
    providers: Sequence[str],
    *,
    preset: Preset | None = None,
    preferences: Preferences = NO_PREFERENCES,
    inputs: tuple[InputImage, ...] = (),
) -> tuple[Quote, ...]:
    """Return a quote for each model that these providers offer, of what would be asked for if it were chosen.

    `chosen` are options as they come from a command that is still being written: what is no option, or no value of
    one, counts as not chosen.
    """
    options = {name: value for name, value in chosen.items() if name in OPTIONS and type(value) is OPTIONS[name].kind}

    def quote(model: Model, options: Mapping[str, Any]) -> Quote:
        try:
            request = chosen_request(
                prompt="-",
                options={**options, "model": model.id},
                providers=providers,
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
        return Quote(model=model, price=price(request))

    return tuple(quote(model, options) for model in offered_models(providers))
