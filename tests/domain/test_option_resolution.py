from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    AtelierError,
    ExclusiveOptionsError,
    PromptError,
    StudioClosedError,
    UnsupportedOptionError,
)
from bot.domain.images import InputImage
from bot.domain.option_resolution import chosen_request
from bot.domain.options import FORMATS, OPTIONS, RATIOS, drop_unset
from bot.domain.preferences import NO_PREFERENCES, Preferences
from bot.domain.presets import Preset
from bot.domain.requests import GenerationRequest
from tests.support.catalogue import (
    BOTH,
    MODEL_IDS,
    NO_PROVIDERS,
    REVE2IMG,
    SKILLBOSS,
    catalogue_with,
    generation_request,
)
from tests.support.strategies import any_options


def asked(
    options: dict[str, Any] | None = None,
    *,
    preset: Preset | None = None,
    prompt: str = "a fox",
    inputs: int = 0,
    input_ratio: str | None = None,
    **preferred: Any,
) -> GenerationRequest:
    """Return the request of a member with these choices and preferences."""
    return chosen_request(
        prompt=prompt,
        options=options or {},
        catalogue=BOTH,
        preset=preset,
        preferences=Preferences(**preferred),
        inputs=(InputImage(url="https://example.org/a.png"),) * inputs,
        input_ratio=input_ratio,
    )


def test_edit_keeps_the_ratio_of_an_input_of_unknown_size() -> None:
    """The stored file tells it later."""
    assert asked(inputs=1).keep_aspect_ratio
    assert not asked({"aspect_ratio": "1:1"}, inputs=1).keep_aspect_ratio
    assert not asked().keep_aspect_ratio


def test_no_choice_gives_the_studios_defaults() -> None:
    assert asked() == generation_request(prompt="a fox")


def test_choice_precedes_preset_precedes_preference() -> None:
    preset = Preset(name="x", options={"model": "seedream-5", "images": 2, "aspect_ratio": "3:2"})
    request = asked({"images": 3}, preset=preset, model="nano-banana", aspect_ratio="16:9", format="webp")
    assert (request.model, request.images, request.aspect_ratio, request.format) == ("seedream-5", 3, "3:2", "webp")


def test_request_has_the_name_of_its_preset() -> None:
    assert asked({}, preset=Preset(name="Oil Painting", options={})).preset == "Oil Painting"
    assert asked({}).preset == ""


def test_false_overrides_the_preset_and_none_does_not() -> None:
    preset = Preset(name="x", options={"remove_background": True})
    assert asked({"remove_background": None}, preset=preset).remove_background is True
    assert asked({"remove_background": False}, preset=preset).remove_background is False


def test_preset_frames_prompt_and_whole_length_is_checked() -> None:
    preset = Preset(name="x", template="oil, {prompt}")
    assert asked(preset=preset).prompt == "oil, a fox"
    with pytest.raises(PromptError) as caught:
        asked(preset=preset, prompt="x" * 2556)
    assert (caught.value.length, caught.value.limit) == (2561, 2560)


@pytest.mark.parametrize(
    ("options", "preferred", "expected"),
    [
        ({"model": "seedream-5"}, {"aspect_ratio": "auto"}, {"model": "seedream-5", "aspect_ratio": "1:1"}),
        ({"remove_background": True}, {"format": "jpeg"}, {"format": "png"}),
        ({"detail": 3}, {"model": "nano-banana", "format": "webp"}, {"model": "reve-2.0", "format": "webp"}),
        ({"resolution": "4K"}, {"model": "seedream-5"}, {"model": "seedream-5"}),
        ({"aspect_ratio": "auto"}, {"model": "seedream-5"}, {"model": "reve-2.0"}),
        ({}, {"model": "nano-banana", "aspect_ratio": "auto"}, {"model": "nano-banana", "aspect_ratio": "1:1"}),
        ({}, {"model": "gone-1.0", "format": "webp"}, {"model": "reve-2.0", "format": "webp"}),
    ],
)
def test_preference_gives_way_to_choices(
    options: dict[str, Any], preferred: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The model gives way last, and no more preferences than necessary do."""
    request = asked(options, **preferred)
    assert {name: getattr(request, name) for name in expected} == expected


def test_preferred_model_without_edits_gives_way_to_inputs() -> None:
    assert asked(inputs=1, model="nano-banana").model == "reve-2.0"


def test_edit_keeps_input_ratio_unless_chosen_or_in_preset() -> None:
    """`keep_aspect_ratio` records the reason."""
    preset = Preset(name="x", options={"aspect_ratio": "1:1"})
    derived = asked(inputs=1, input_ratio="3:4", aspect_ratio="16:9")
    assert (derived.aspect_ratio, derived.keep_aspect_ratio) == ("3:4", True)
    for request, ratio in (
        (asked({"aspect_ratio": "3:4"}, inputs=1, input_ratio="3:4"), "3:4"),
        (asked(preset=preset, inputs=1, input_ratio="3:4"), "1:1"),
        (asked(aspect_ratio="16:9"), "16:9"),
    ):
        assert (request.aspect_ratio, request.keep_aspect_ratio) == (ratio, False)


def test_impossible_choice_or_preset_raises() -> None:
    with pytest.raises(UnsupportedOptionError):
        asked({"model": "nano-banana", "detail": 2}, model="reve-2.0")
    with pytest.raises(ExclusiveOptionsError):
        asked({"remove_background": True}, preset=Preset(name="x", options={"format": "jpeg"}))


def test_refusal_names_the_preferred_model() -> None:
    with pytest.raises(UnsupportedOptionError) as caught:
        asked({"detail": 2, "resolution": "4K"}, model="seedream-5", aspect_ratio="auto")
    assert (caught.value.model, caught.value.option) == ("seedream-5", "detail")


def test_no_providers_raises_studio_closed() -> None:
    with pytest.raises(StudioClosedError):
        chosen_request(prompt="a fox", options={}, catalogue=NO_PROVIDERS, preferences=Preferences(model="reve-2.0"))


def test_drop_unset_with_unknown_name_raises() -> None:
    with pytest.raises(ValueError, match="prompt"):
        drop_unset({"prompt": "a fox"})


preferences = st.builds(
    Preferences,
    model=st.sampled_from([None, *MODEL_IDS]),
    aspect_ratio=st.sampled_from([None, *RATIOS]),
    format=st.sampled_from([None, *FORMATS]),
)


@given(chosen=any_options(), own=preferences, catalogue=st.sampled_from([BOTH, SKILLBOSS, REVE2IMG]))
def test_preferences_never_make_a_possible_choice_fail(
    chosen: dict[str, Any], own: Preferences, catalogue: Catalogue
) -> None:
    options = {name: value for name, value in chosen.items() if name in OPTIONS}
    try:
        plain = chosen_request(prompt="a", options=options, catalogue=catalogue, preferences=NO_PREFERENCES)
    except AtelierError:
        return
    request = chosen_request(prompt="a", options=options, catalogue=catalogue, preferences=own)
    same = [name for name, value in options.items() if value is not None]
    assert [getattr(request, name) for name in same] == [getattr(plain, name) for name in same]


@pytest.mark.parametrize("own", ["png", "jpeg"])
def test_own_default_format_gives_way_to_a_model_without_a_choice(own: str) -> None:
    catalogue = catalogue_with("seedream-5", format=())
    request = chosen_request(
        prompt="a", options={"model": "seedream-5"}, catalogue=catalogue, preferences=Preferences(format=own)
    )
    assert (request.model, request.chosen_format) == ("seedream-5", None)


def test_preset_with_a_format_is_refused_by_a_model_without_a_choice() -> None:
    with pytest.raises(UnsupportedOptionError):
        chosen_request(
            prompt="a",
            options={"model": "seedream-5"},
            catalogue=catalogue_with("seedream-5", format=()),
            preset=Preset(name="x", options={"format": "png"}),
        )
