"""Encoding of a request's options as JSON.

Rows of older and newer releases can be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from bot.domain.images import ImageFile, ImageRef, InputChange, InputImage
from bot.domain.options import OPTIONS
from bot.domain.requests import GenerationRequest

# The number of inputs; the inputs themselves have their own table.
INPUTS: Final = "inputs"
# The stored key of `GenerationRequest.keep_aspect_ratio`, written only if set, as that came after the first release.
_KEEP_RATIO: Final = "keeps_form"
# The stored key of `GenerationRequest.keeps_picture`, also written only if set.
_KEEP_PICTURE: Final = "keeps_picture"
# The stored key of `GenerationRequest.default_format_chosen`, also written only if set.
_CHOSEN_FORMAT: Final = "default_format_chosen"
# The stored key of `GenerationRequest.preset`, also written only if set.
PRESET: Final = "preset"
# This option has its own column.
_COLUMN: Final = "model"


def options_of(request: GenerationRequest) -> dict[str, Any]:
    """Return a request's stored options: all but prompt, model and inputs.

    The options that the first release reads are always there. The others are written only if chosen, so that the first
    release can read all other rows.
    """
    options: dict[str, Any] = {}
    for name, spec in OPTIONS.items():
        value = getattr(request, name)
        if name != _COLUMN and (spec.always_stored or value != spec.default):
            options[name] = spec.dump(value)
    if request.keep_aspect_ratio:
        options[_KEEP_RATIO] = True
    if request.keeps_picture:
        options[_KEEP_PICTURE] = True
    if request.default_format_chosen:
        options[_CHOSEN_FORMAT] = True
    if request.preset:
        options[PRESET] = request.preset
    return options | {INPUTS: len(request.inputs)} if request.inputs else options


def request_of(
    prompt: str, model: str, options: Mapping[str, Any], inputs: tuple[InputImage, ...] = ()
) -> GenerationRequest:
    """Return the request.

    Options that are not stored get their default; unknown ones are ignored.
    """
    known = {name: spec.load(options[name]) for name, spec in OPTIONS.items() if name != _COLUMN and name in options}
    return GenerationRequest(
        prompt=prompt,
        model=model,
        **known,
        inputs=inputs,
        keep_aspect_ratio=options.get(_KEEP_RATIO, False),
        keeps_picture=options.get(_KEEP_PICTURE, False),
        default_format_chosen=options.get(_CHOSEN_FORMAT, False),
        preset=options.get(PRESET, ""),
    )


def plain_inputs(inputs: Sequence[InputImage]) -> list[dict[str, Any]]:
    """Return inputs as JSON, for a request without a job."""
    return [asdict(replace(each, provider_url=None)) | {"changes": sorted(each.changes)} for each in inputs]


def inputs_of(plain: Sequence[Mapping[str, Any]]) -> tuple[InputImage, ...]:
    """Return the inputs encoded by `plain_inputs`."""
    return tuple(
        InputImage(
            url=each["url"],
            file=None if each["file"] is None else ImageFile(**each["file"]),
            parent=None if each["parent"] is None else ImageRef(**each["parent"]),
            changes=frozenset(InputChange(change) for change in each.get("changes", ())),
        )
        for each in plain
    )
