"""What a member gets who chose some options: those, else a preset's, else their own defaults, else the studio's."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from typing import Any

from bot.domain.errors import RequestError, StudioClosedError
from bot.domain.models import offered_models
from bot.domain.options import drop_unset
from bot.domain.preferences import NO_PREFERENCES, OPTIONS_WITH_SETTING, Preferences
from bot.domain.presets import Preset
from bot.domain.requests import GenerationRequest, InputImage, generation_request


def chosen_request(
    *,
    prompt: str,
    options: Mapping[str, Any],
    providers: Sequence[str],
    preset: Preset | None = None,
    preferences: Preferences = NO_PREFERENCES,
    inputs: tuple[InputImage, ...] = (),
    shape: str | None = None,
) -> GenerationRequest:
    """Return the checked request of a command, or raise what `generation_request` raises.

    `options` are as a member writes them, by their names; None is not chosen. A default of the member's that does not
    go with what they or the preset chose gives way without a word; what was chosen is refused where it cannot be done.
    `shape` is the ratio of the first input, by what is said of it: it counts more than the one that the member prefers.
    """
    chosen = dict(preset.options if preset else {}) | drop_unset(options)
    framed = preset.prompt(prompt) if preset else prompt
    keep_ratio = shape is not None and "aspect_ratio" not in chosen
    if shape is not None:
        preferences = replace(preferences, aspect_ratio=shape)
    for defaults in _giving_way(chosen, preferences, providers):
        with suppress(RequestError, StudioClosedError):
            request = generation_request(prompt=framed, **(defaults | chosen), inputs=inputs, providers=providers)
            return replace(request, keep_aspect_ratio=keep_ratio)
    # None will do. What is wrong is told of the model that is to be expected, the preferred one.
    expected = {name: value for name, value in _own(chosen, preferences, providers).items() if name == "model"}
    return generation_request(prompt=framed, **(expected | chosen), inputs=inputs, providers=providers)


def _giving_way(
    chosen: Mapping[str, Any], preferences: Preferences, providers: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the defaults to try, from all of the member's to none of them; the model is the last to go."""
    own = _own(chosen, preferences, providers)
    others = [name for name in own if name != "model"]
    for models in (["model"], []) if "model" in own else ([],):
        for count in range(len(others), -1, -1):
            for names in combinations(others, count):
                yield {name: own[name] for name in (*models, *names)}


def _own(chosen: Mapping[str, Any], preferences: Preferences, providers: Sequence[str]) -> dict[str, Any]:
    """Return the member's defaults for what was not chosen, without a model that the studio has no more."""
    own = {name: getattr(preferences, name) for name in OPTIONS_WITH_SETTING if name not in chosen}
    known = {model.id for model in offered_models(providers)}
    return {name: value for name, value in own.items() if value is not None and (name != "model" or value in known)}
