"""A request's options as JSON, and back: a row that an older or a newer release wrote can be read."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from bot.domain.fit import Fit
from bot.domain.requests import GenerationRequest, InputPicture

# Always written: the first release reads these and expects them all.
_FIRST: Final = ("aspect_ratio", "images", "detail", "format", "resolution")
# Written where they were asked for, so that the first release can read all rows that ask for nothing newer.
_LATER: Final = ("upscale", "remove_background", "fit", "effect", "version", "inputs")
_DEFAULTS: Final = {field.name: field.default for field in fields(GenerationRequest) if field.default is not MISSING}


def options_of(request: GenerationRequest) -> dict[str, Any]:
    """Return what is stored of a request besides its prompt and its model."""
    asked = [name for name in _LATER if getattr(request, name) != _DEFAULTS[name]]
    return {name: _plain(getattr(request, name)) for name in (*_FIRST, *asked)}


def request_of(prompt: str, model: str, options: Mapping[str, Any]) -> GenerationRequest:
    """Return the request; what is not stored has its default, what is not known is left out."""
    known: dict[str, Any] = {name: options[name] for name in (*_FIRST, *_LATER) if name in options}
    if "fit" in known:
        known["fit"] = Fit.parse(known["fit"])
    if "inputs" in known:
        known["inputs"] = tuple(InputPicture(**each) for each in known["inputs"])
    return GenerationRequest(prompt=prompt, model=model, **known)


def _plain(value: Any) -> Any:
    match value:
        case Fit():
            return str(value)
        case tuple():
            return [{"url": each.url} for each in value]
        case _:
            return value
