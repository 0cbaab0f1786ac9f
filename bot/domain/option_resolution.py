"""Precedence of options: choice, preset, own default, studio's default."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from typing import Any

from bot.domain.catalogue import Catalogue
from bot.domain.errors import RequestError, StudioClosedError
from bot.domain.images import InputImage
from bot.domain.options import drop_unset
from bot.domain.preferences import NO_PREFERENCES, OPTIONS_WITH_SETTING, Preferences
from bot.domain.presets import Preset
from bot.domain.requests import GenerationRequest, generation_request


def chosen_request(
    *,
    prompt: str,
    options: Mapping[str, Any],
    catalogue: Catalogue,
    preset: Preset | None = None,
    preferences: Preferences = NO_PREFERENCES,
    inputs: tuple[InputImage, ...] = (),
    input_ratio: str | None = None,
) -> GenerationRequest:
    """Return the checked request of a command.

    `options` are as a member writes them; None is not chosen. A member's default gives way silently if it does not go
    with the options or the preset; options and preset never give way. `input_ratio` is the first input's aspect ratio
    according to Discord, if known: it takes precedence over the member's preferred one. Raises the errors of
    `generation_request`.
    """
    chosen = dict(preset.options if preset else {}) | drop_unset(options)
    framed = preset.prompt(prompt) if preset else prompt
    keep_ratio = bool(inputs) and "aspect_ratio" not in chosen
    if input_ratio is not None:
        preferences = replace(preferences, aspect_ratio=input_ratio)
    for defaults in _default_candidates(chosen, preferences, catalogue):
        with suppress(RequestError, StudioClosedError):
            request = generation_request(prompt=framed, **(defaults | chosen), inputs=inputs, catalogue=catalogue)
            return replace(request, keep_aspect_ratio=keep_ratio, preset=preset.name if preset else "")
    # No combination is possible, so the error is about the model that the member expects: the preferred one.
    expected = {name: value for name, value in _own_defaults(chosen, preferences, catalogue).items() if name == "model"}
    return generation_request(prompt=framed, **(expected | chosen), inputs=inputs, catalogue=catalogue)


def _default_candidates(
    chosen: Mapping[str, Any], preferences: Preferences, catalogue: Catalogue
) -> Iterator[dict[str, Any]]:
    """Yield the sets of member defaults to try, largest first.

    The model is the last to be given up.
    """
    own = _own_defaults(chosen, preferences, catalogue)
    others = [name for name in own if name != "model"]
    for models in (["model"], []) if "model" in own else ([],):
        for count in range(len(others), -1, -1):
            for names in combinations(others, count):
                yield {name: own[name] for name in (*models, *names)}


def _own_defaults(chosen: Mapping[str, Any], preferences: Preferences, catalogue: Catalogue) -> dict[str, Any]:
    """Return the member's defaults for all options not chosen.

    A model that the studio no longer has is left out.
    """
    own = {name: getattr(preferences, name) for name in OPTIONS_WITH_SETTING if name not in chosen}
    known = {model.id for model in catalogue.models}
    return {name: value for name, value in own.items() if value is not None and (name != "model" or value in known)}
