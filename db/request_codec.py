"""Encoding of a request's options as JSON.

Rows of older and newer releases can be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any, Final

from bot.domain.fit import Fit
from bot.domain.requests import GenerationRequest, ImageFile, ImageRef, InputImage

# Always written: the first release reads these and expects them all.
_FIRST: Final = ("aspect_ratio", "images", "detail", "format", "resolution")
# Written only if chosen, so that the first release can read all other rows.
_LATER: Final = ("upscale", "remove_background", "fit", "effect", "version", "keeps_form")
# The number of inputs; the inputs themselves have their own table.
INPUTS: Final = "inputs"
_DEFAULTS: Final = {field.name: field.default for field in fields(GenerationRequest) if field.default is not MISSING}


def options_of(request: GenerationRequest) -> dict[str, Any]:
    """Return a request's stored options: all but prompt, model and inputs."""
    asked = [name for name in _LATER if getattr(request, name) != _DEFAULTS[name]]
    options = {name: _plain(getattr(request, name)) for name in (*_FIRST, *asked)}
    return options | {INPUTS: len(request.inputs)} if request.inputs else options


def request_of(
    prompt: str, model: str, options: Mapping[str, Any], inputs: tuple[InputImage, ...] = ()
) -> GenerationRequest:
    """Return the request.

    Options that are not stored get their default; unknown ones are ignored.
    """
    known: dict[str, Any] = {name: options[name] for name in (*_FIRST, *_LATER) if name in options}
    if "fit" in known:
        known["fit"] = Fit.parse(known["fit"])
    return GenerationRequest(prompt=prompt, model=model, **known, inputs=inputs)


def plain_inputs(inputs: Sequence[InputImage]) -> list[dict[str, Any]]:
    """Return inputs as JSON, for a request without a job."""
    return [asdict(each) for each in inputs]


def inputs_of(plain: Sequence[Mapping[str, Any]]) -> tuple[InputImage, ...]:
    """Return the inputs that `plain_inputs` wrote."""
    return tuple(
        InputImage(
            url=each["url"],
            file=None if each["file"] is None else ImageFile(**each["file"]),
            parent=None if each["parent"] is None else ImageRef(**each["parent"]),
        )
        for each in plain
    )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Fit) else value
