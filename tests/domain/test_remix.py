"""Requests made by the actions on a card."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.aspect_ratios import with_input_ratio
from bot.domain.errors import PromptError, StudioClosedError, UnsupportedOptionError
from bot.domain.images import ImageFile, InputImage
from bot.domain.jobs import Action
from bot.domain.remix import (
    RequestChanges,
    make_again,
    make_cut_out,
    make_edit,
    make_reference,
    make_upscale,
    make_variation,
    possible_actions,
    upscale_factors,
)
from bot.domain.requests import KEEP_AS_IT_IS, offers_for
from tests.support.catalogue import (
    BOTH,
    NO_PROVIDERS,
    REVE2IMG,
    SKILLBOSS,
    catalogue_with,
    generation_request,
    price,
)
from tests.support.factories import make_request
from tests.support.strategies import valid_options


def make_image(width: int = 1024, height: int = 1024) -> InputImage:
    """Return one of the studio's own images."""
    return InputImage(file=ImageFile(sha256="0" * 64, media_type="image/png", width=width, height=height, size=9))


PICTURE = make_image()


def test_variation_keeps_prompt_and_options_at_edit_price() -> None:
    request = make_request(aspect_ratio="16:9", images=3, detail=2, effect="sepia")
    made = make_variation(request, PICTURE, BOTH)
    assert (made.prompt, made.aspect_ratio, made.images, made.detail, made.effect) == (
        request.prompt,
        "16:9",
        3,
        2,
        "sepia",
    )
    assert made.inputs == (PICTURE,)
    assert price(made) == (20 * 2 + 4) * 3


def test_variation_of_model_without_edits_uses_default_model() -> None:
    made = make_variation(make_request(model="nano-banana", aspect_ratio="3:2", images=2), PICTURE, BOTH)
    assert (made.model, made.aspect_ratio, made.images) == (BOTH.default_model, "3:2", 2)


def test_chosen_model_drops_its_unsupported_options() -> None:
    """The ratio "auto" becomes the image's own."""
    request = make_request(aspect_ratio="auto", detail=5, effect="sepia", version="latest-fast")
    made = make_edit(request, make_image(1920, 1080), "make it snow", BOTH, model="seedream-5")
    assert (made.model, made.aspect_ratio, made.detail, made.effect, made.version) == (
        "seedream-5",
        "16:9",
        1,
        None,
        None,
    )


def test_dropped_ratio_is_taken_from_the_file_later() -> None:
    """The size of an image without a file is unknown."""
    unknown = InputImage(url="https://cdn.example/a.png")
    made = make_edit(make_request(aspect_ratio="auto"), unknown, "make it snow", BOTH, model="seedream-5")
    assert (made.aspect_ratio, made.keep_aspect_ratio) == ("1:1", True)
    assert with_input_ratio(replace(made, inputs=(make_image(1080, 1920),)), BOTH).aspect_ratio == "9:16"
    assert not make_edit(
        make_request(aspect_ratio="3:2"), unknown, "make it snow", BOTH, model="seedream-5"
    ).keep_aspect_ratio


def test_edit_makes_one_image_and_keeps_processing() -> None:
    made = make_edit(make_request(images=4, remove_background=True), PICTURE, "make it snow", BOTH)
    assert (made.prompt, made.images, made.remove_background) == ("make it snow", 1, True)


def test_reference_keeps_model_ratio_and_format_without_processing() -> None:
    request = make_request(images=4, aspect_ratio="9:16", effect="sepia", upscale=2, format="webp")
    made = make_reference(request, PICTURE, "the same cat at sea", BOTH)
    assert (made.aspect_ratio, made.format, made.images, made.effect, made.upscale) == ("9:16", "webp", 1, None, None)


@pytest.mark.parametrize(("factor", "credits"), [(2, 26), (3, 29), (4, 32)])
def test_upscale_keeps_the_image_and_costs_generation_plus_upscale(factor: int, credits: int) -> None:  # noqa: A002 - as the table says
    made = make_upscale(make_request(images=4, detail=3, effect="sepia"), PICTURE, factor, BOTH)
    assert (made.prompt, made.instruction) == (make_request().prompt, KEEP_AS_IT_IS)
    assert (made.images, made.detail, made.effect, made.upscale) == (1, 1, None, factor)
    assert price(made) == credits


def test_new_pictures_of_upscaled_one_follow_its_prompt() -> None:
    upscaled = make_upscale(make_request(), PICTURE, 2, BOTH)
    for made in (make_variation(upscaled, PICTURE, BOTH), make_reference(upscaled, PICTURE, "at sea", BOTH)):
        assert made.instruction == made.prompt
    assert make_edit(upscaled, PICTURE, "make it snow", BOTH).instruction == "make it snow"


def test_upscale_of_cut_out_removes_the_background_again() -> None:
    assert make_upscale(make_request(remove_background=True), PICTURE, 2, BOTH).remove_background


@pytest.mark.parametrize(("had", "gets"), [("png", "png"), ("webp", "webp"), ("jpeg", "png")])
def test_cut_out_uses_a_transparent_format(had: str, gets: str) -> None:
    made = make_cut_out(make_request(format=had), PICTURE, BOTH)
    assert (made.format, made.remove_background) == (gets, True)


def test_long_prompt_selects_a_model_that_takes_it_or_raises() -> None:
    made = make_variation(make_request(model="nano-banana", prompt="x" * 3000), PICTURE, BOTH)
    assert made.model in ("nano-banana-pro", "seedream-5")
    with pytest.raises(PromptError):
        make_variation(make_request(prompt="x" * 4001), PICTURE, BOTH)
    with pytest.raises(PromptError):
        make_edit(make_request(), PICTURE, "   ", BOTH)


def test_studio_without_edits_refuses_image_actions() -> None:
    with pytest.raises(UnsupportedOptionError):
        make_variation(make_request(), PICTURE, SKILLBOSS)
    with pytest.raises(UnsupportedOptionError):
        make_edit(make_request(), PICTURE, "x", SKILLBOSS)
    with pytest.raises(UnsupportedOptionError):
        make_upscale(make_request(), PICTURE, 2, SKILLBOSS)
    with pytest.raises(UnsupportedOptionError):
        make_cut_out(make_request(), PICTURE, SKILLBOSS)
    assert possible_actions(SKILLBOSS) == {Action.AGAIN}
    assert upscale_factors(SKILLBOSS) == ()
    with pytest.raises(StudioClosedError):
        make_variation(make_request(), PICTURE, NO_PROVIDERS)


def test_studio_with_edits_offers_every_action() -> None:
    assert possible_actions(BOTH) == set(Action)
    assert upscale_factors(BOTH) == (2, 3, 4)


@given(valid_options(), st.integers(64, 4096), st.integers(64, 4096))
def test_every_action_on_any_legal_request_is_possible_and_priced(
    options: dict[str, object], width: int, height: int
) -> None:
    request = generation_request(prompt="a fox", **options)  # type: ignore[arg-type]
    picture = make_image(width, height)
    made = [
        make_variation(request, picture, BOTH),
        make_edit(request, picture, "make it snow", BOTH),
        make_reference(request, picture, "a cat", BOTH),
        *(make_upscale(request, picture, factor, BOTH) for factor in upscale_factors(BOTH)),
        make_cut_out(request, picture, BOTH),
    ]
    assert all(offers_for(each, BOTH) for each in made)
    assert all(price(each) > 0 for each in made)


def test_edit_made_again_keeps_its_inputs_ratio_until_one_is_chosen() -> None:
    edit = make_request(prompt="a fox", aspect_ratio="3:2", inputs=(InputImage(),), keep_aspect_ratio=True)
    reworded = make_again(edit, RequestChanges(prompt="an owl"), REVE2IMG)
    assert (reworded.prompt, reworded.aspect_ratio, reworded.keep_aspect_ratio) == ("an owl", "3:2", True)
    chosen = make_again(edit, RequestChanges(aspect_ratio="16:9"), REVE2IMG)
    assert (chosen.aspect_ratio, chosen.keep_aspect_ratio) == ("16:9", False)


def test_same_request_again_drops_the_seed() -> None:
    request = make_request(seed=7, images=2)
    assert make_again(request, RequestChanges(), BOTH) == replace(request, seed=None)
    assert make_again(request, RequestChanges(images=2), BOTH) == replace(request, seed=None)


def test_changed_request_again_keeps_seed_and_negative_prompt() -> None:
    catalogue = catalogue_with("reve-2.0", seed=True, negative=True)
    request = make_request(seed=0, negative="people")
    made = make_again(request, RequestChanges(prompt="a lighthouse at noon"), catalogue)
    assert (made.prompt, made.seed, made.negative) == ("a lighthouse at noon", 0, "people")


def test_variation_keeps_the_seed_with_changes_only() -> None:
    catalogue = catalogue_with("reve-2.0", seed=True)
    request = make_request(seed=7)
    assert make_variation(request, PICTURE, catalogue).seed is None
    assert make_variation(request, PICTURE, catalogue, changes=RequestChanges(prompt="in snow")).seed == 7


def test_options_that_the_chosen_model_lacks_are_dropped() -> None:
    request = make_request(seed=7, negative="people", quality="high", transparent=True)
    made = make_edit(request, PICTURE, "in snow", BOTH)
    assert (made.seed, made.negative, made.quality, made.transparent) == (None, "", None, False)


def test_upscale_keeps_transparency_but_no_seed() -> None:
    catalogue = catalogue_with("reve-2.0", seed=True, negative=True, quality=("high",), transparent=True)
    request = make_request(seed=7, negative="people", quality="high", transparent=True)
    made = make_upscale(request, PICTURE, 2, catalogue)
    assert (made.seed, made.negative, made.quality, made.transparent) == (None, "", None, True)


def test_same_model_again_keeps_that_nobody_chose_a_format() -> None:
    catalogue = catalogue_with("seedream-5", format=())
    request = make_request(model="seedream-5")
    assert make_again(request, RequestChanges(images=2), catalogue).chosen_format is None
    assert make_variation(request, PICTURE, catalogue).model == "seedream-5"


def test_chosen_format_survives_again_and_variation() -> None:
    request = make_request(default_format_chosen=True)
    assert make_again(request, RequestChanges(images=2), BOTH).chosen_format == "png"
    assert make_variation(request, PICTURE, BOTH).chosen_format == "png"
    assert make_reference(request, PICTURE, "a", BOTH).chosen_format == "png"


@pytest.mark.parametrize("had", ["png", "webp"])
def test_edit_by_a_model_without_a_choice_drops_the_chosen_format(had: str) -> None:
    catalogue = catalogue_with("seedream-5", format=())
    request = make_request(format=had, default_format_chosen=had == "png")
    made = make_edit(request, PICTURE, "a", catalogue, model="seedream-5")
    assert (made.model, made.format, made.chosen_format) == ("seedream-5", "png", None)


def test_preset_stays_with_its_prompt_alone() -> None:
    request = make_request(preset="Oil Painting")
    assert make_variation(request, PICTURE, BOTH).preset == "Oil Painting"
    typed = RequestChanges(prompt="a garden")
    assert make_variation(request, PICTURE, BOTH, changes=typed).preset == ""
    assert make_edit(request, PICTURE, "make it snow", BOTH).preset == ""
    assert make_reference(request, PICTURE, "a garden", BOTH).preset == ""
