from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import (
    AtelierError,
    ExclusiveOptionsError,
    PromptError,
    StudioClosedError,
    UnsupportedOptionError,
)
from bot.domain.images import InputImage
from bot.domain.models import MODEL_IDS
from bot.domain.option_resolution import chosen_request
from bot.domain.options import FORMATS, OPTIONS, RATIOS, drop_unset
from bot.domain.preferences import NO_PREFERENCES, Preferences
from bot.domain.presets import Preset
from bot.domain.requests import GenerationRequest, generation_request
from tests.support.strategies import any_options

BOTH = ("skillboss", "reve2img")


def asked(
    options: dict[str, Any] | None = None,
    *,
    preset: Preset | None = None,
    prompt: str = "a fox",
    inputs: int = 0,
    input_ratio: str | None = None,
    **preferred: Any,
) -> GenerationRequest:
    """Return the request of a member who chose these options and prefers this."""
    return chosen_request(
        prompt=prompt,
        options=options or {},
        providers=BOTH,
        preset=preset,
        preferences=Preferences(**preferred),
        inputs=(InputImage(url="https://example.org/a.png"),) * inputs,
        input_ratio=input_ratio,
    )


def test_who_chooses_nothing_gets_the_studios_defaults() -> None:
    """As before there were any preferences."""
    assert asked() == generation_request(prompt="a fox")


def test_a_choice_comes_before_a_preset_before_a_preference() -> None:
    """For each option apart."""
    preset = Preset(name="x", options={"model": "seedream-5", "images": 2, "aspect_ratio": "3:2"})
    request = asked({"images": 3}, preset=preset, model="nano-banana", aspect_ratio="16:9", format="webp")
    assert (request.model, request.images, request.aspect_ratio, request.format) == ("seedream-5", 3, "3:2", "webp")


def test_what_is_none_or_false_is_told_apart() -> None:
    """False is a choice and undoes the preset's; None is none."""
    preset = Preset(name="x", options={"remove_background": True})
    assert asked({"remove_background": None}, preset=preset).remove_background is True
    assert asked({"remove_background": False}, preset=preset).remove_background is False


def test_a_preset_frames_the_prompt_and_the_whole_is_checked() -> None:
    """The length that counts is that of what is sent."""
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
def test_a_default_gives_way_to_what_was_chosen(
    options: dict[str, Any], preferred: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Without a word, the model last, and no more of them than need be."""
    request = asked(options, **preferred)
    assert {name: getattr(request, name) for name in expected} == expected


def test_a_model_that_cannot_edit_gives_way() -> None:
    """Who prefers a model for text can still edit."""
    assert asked(inputs=1, model="nano-banana").model == "reve-2.0"


def test_an_edit_keeps_the_form_of_its_picture_unless_a_ratio_was_chosen() -> None:
    """That counts more than a preferred ratio, and less than a choice or a preset's; which it was is remembered."""
    preset = Preset(name="x", options={"aspect_ratio": "1:1"})
    derived = asked(inputs=1, input_ratio="3:4", aspect_ratio="16:9")
    assert (derived.aspect_ratio, derived.keep_aspect_ratio) == ("3:4", True)
    for request, ratio in (
        (asked({"aspect_ratio": "3:4"}, inputs=1, input_ratio="3:4"), "3:4"),
        (asked(preset=preset, inputs=1, input_ratio="3:4"), "1:1"),
        (asked(aspect_ratio="16:9"), "16:9"),
    ):
        assert (request.aspect_ratio, request.keep_aspect_ratio) == (ratio, False)


def test_what_was_chosen_is_refused() -> None:
    """A choice, or a preset's, gives way to nothing."""
    with pytest.raises(UnsupportedOptionError):
        asked({"model": "nano-banana", "detail": 2}, model="reve-2.0")
    with pytest.raises(ExclusiveOptionsError):
        asked({"remove_background": True}, preset=Preset(name="x", options={"format": "jpeg"}))


def test_a_refusal_is_told_of_the_preferred_model() -> None:
    """It is the one to be expected, where no other would do either."""
    with pytest.raises(UnsupportedOptionError) as caught:
        asked({"detail": 2, "resolution": "4K"}, model="seedream-5", aspect_ratio="auto")
    assert (caught.value.model, caught.value.option) == ("seedream-5", "detail")


def test_a_studio_without_providers_is_closed() -> None:
    """Whatever is preferred."""
    with pytest.raises(StudioClosedError):
        chosen_request(prompt="a fox", options={}, providers=(), preferences=Preferences(model="reve-2.0"))


def test_a_name_that_is_no_option_is_a_fault_of_ours() -> None:
    """It would be left out without a word."""
    with pytest.raises(ValueError, match="prompt"):
        drop_unset({"prompt": "a fox"})


preferences = st.builds(
    Preferences,
    model=st.sampled_from([None, *MODEL_IDS]),
    aspect_ratio=st.sampled_from([None, *RATIOS]),
    format=st.sampled_from([None, *FORMATS]),
)


@given(chosen=any_options(), own=preferences, providers=st.sampled_from([BOTH, ("skillboss",), ("reve2img",)]))
def test_preferences_stand_in_nobodys_way(chosen: dict[str, Any], own: Preferences, providers: tuple[str, ...]) -> None:
    """What is possible without them is possible with them, and gives all that was chosen."""
    options = {name: value for name, value in chosen.items() if name in OPTIONS}
    try:
        plain = chosen_request(prompt="a", options=options, providers=providers, preferences=NO_PREFERENCES)
    except AtelierError:
        return
    request = chosen_request(prompt="a", options=options, providers=providers, preferences=own)
    same = [name for name, value in options.items() if value is not None]
    assert [getattr(request, name) for name in same] == [getattr(plain, name) for name in same]
