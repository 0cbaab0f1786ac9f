"""What each action on a card comes to: the request, what gives way in it, and what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.aspect_ratios import with_input_ratio
from bot.domain.errors import PromptError, StudioClosedError, UnsupportedOptionError
from bot.domain.images import ImageFile, InputImage
from bot.domain.jobs import Action
from bot.domain.options import DEFAULT_MODEL
from bot.domain.remix import (
    KEEP_AS_IT_IS,
    cut_out,
    edited,
    possible_actions,
    referring,
    upscale_factors,
    upscaled,
    varied,
)
from bot.domain.requests import generation_request, offers_for, price
from tests.support.factories import make_request
from tests.support.strategies import valid_options

BOTH = ("skillboss", "reve2img")
TEXT_ONLY = ("skillboss",)


def make_image(width: int = 1024, height: int = 1024) -> InputImage:
    """Return a picture of the studio's own."""
    return InputImage(file=ImageFile(sha256="0" * 64, media_type="image/png", width=width, height=height, size=9))


PICTURE = make_image()


def test_a_variation_keeps_prompt_and_options() -> None:
    """The same words and options, with the picture to start from; it costs what an edit costs."""
    request = make_request(aspect_ratio="16:9", images=3, detail=2, effect="sepia")
    made = varied(request, PICTURE, BOTH)
    assert (made.prompt, made.aspect_ratio, made.images, made.detail, made.effect) == (
        request.prompt,
        "16:9",
        3,
        2,
        "sepia",
    )
    assert made.inputs == (PICTURE,)
    assert price(made) == (20 * 2 + 4) * 3


def test_a_model_that_cannot_edit_gives_way() -> None:
    """A picture of nano-banana is varied by the default model, in the same shape."""
    made = varied(make_request(model="nano-banana", aspect_ratio="3:2", images=2), PICTURE, BOTH)
    assert (made.model, made.aspect_ratio, made.images) == (DEFAULT_MODEL, "3:2", 2)


def test_options_that_the_new_model_lacks_are_dropped() -> None:
    """A chosen model does what it can: detail and effect go, and "auto" becomes the picture's own shape."""
    request = make_request(aspect_ratio="auto", detail=5, effect="sepia", version="latest-fast")
    made = edited(request, make_image(1920, 1080), "make it snow", BOTH, model="seedream-5")
    assert (made.model, made.aspect_ratio, made.detail, made.effect, made.version) == (
        "seedream-5",
        "16:9",
        1,
        None,
        None,
    )


def test_a_ratio_that_gave_way_is_told_from_a_chosen_one() -> None:
    """A picture whose file is gone has no known size: its form is taken once it was fetched."""
    unknown = InputImage(url="https://cdn.example/a.png")
    made = edited(make_request(aspect_ratio="auto"), unknown, "make it snow", BOTH, model="seedream-5")
    assert (made.aspect_ratio, made.keep_aspect_ratio) == ("1:1", True)
    assert with_input_ratio(replace(made, inputs=(make_image(1080, 1920),)), BOTH).aspect_ratio == "9:16"
    assert not edited(
        make_request(aspect_ratio="3:2"), unknown, "make it snow", BOTH, model="seedream-5"
    ).keep_aspect_ratio


def test_an_edit_makes_one_picture_by_new_words() -> None:
    """The new prompt says what to change; how the picture was processed stays."""
    made = edited(make_request(images=4, remove_background=True), PICTURE, "make it snow", BOTH)
    assert (made.prompt, made.images, made.remove_background) == ("make it snow", 1, True)


def test_a_reference_is_not_processed_as_the_picture_was() -> None:
    """What is drawn by a picture has its model, shape and format, and no effect or upscale of it."""
    request = make_request(images=4, aspect_ratio="9:16", effect="sepia", upscale=2, format="webp")
    made = referring(request, PICTURE, "the same cat at sea", BOTH)
    assert (made.aspect_ratio, made.format, made.images, made.effect, made.upscale) == ("9:16", "webp", 1, None, None)


@pytest.mark.parametrize(("factor", "credits"), [(2, 26), (3, 29), (4, 32)])
def test_an_upscale_keeps_the_picture_as_it_is(factor: int, credits: int) -> None:  # noqa: A002
    """A generation that changes nothing, and the upscale after it, at the price of both."""
    made = upscaled(make_request(images=4, detail=3, effect="sepia"), PICTURE, factor, BOTH)
    assert (made.prompt, made.images, made.detail, made.effect, made.upscale) == (KEEP_AS_IT_IS, 1, 1, None, factor)
    assert price(made) == credits


def test_what_was_cut_out_stays_so_when_enlarged() -> None:
    """The upscale of a picture without a background has none either."""
    assert upscaled(make_request(remove_background=True), PICTURE, 2, BOTH).remove_background


@pytest.mark.parametrize(("had", "gets"), [("png", "png"), ("webp", "webp"), ("jpeg", "png")])
def test_a_cut_out_is_in_a_format_that_can_be_transparent(had: str, gets: str) -> None:
    """JPEG knows no transparency, so PNG takes its place."""
    made = cut_out(make_request(format=had), PICTURE, BOTH)
    assert (made.format, made.remove_background) == (gets, True)


def test_a_prompt_too_long_for_the_new_model_goes_to_one_that_takes_it() -> None:
    """Of the models that edit, one that takes the whole prompt is used; where none does, it is refused."""
    made = varied(make_request(model="nano-banana", prompt="x" * 3000), PICTURE, BOTH)
    assert made.model in ("nano-banana-pro", "seedream-5")
    with pytest.raises(PromptError):
        varied(make_request(prompt="x" * 4001), PICTURE, BOTH)
    with pytest.raises(PromptError):
        edited(make_request(), PICTURE, "   ", BOTH)


def test_a_studio_from_text_only_says_so() -> None:
    """Where no provider edits, every action on a picture is refused, and only the same again is offered."""
    with pytest.raises(UnsupportedOptionError):
        varied(make_request(), PICTURE, TEXT_ONLY)
    with pytest.raises(UnsupportedOptionError):
        edited(make_request(), PICTURE, "x", TEXT_ONLY)
    with pytest.raises(UnsupportedOptionError):
        upscaled(make_request(), PICTURE, 2, TEXT_ONLY)
    with pytest.raises(UnsupportedOptionError):
        cut_out(make_request(), PICTURE, TEXT_ONLY)
    assert possible_actions(TEXT_ONLY) == {Action.AGAIN}
    assert upscale_factors(TEXT_ONLY) == ()
    with pytest.raises(StudioClosedError):
        varied(make_request(), PICTURE, ())


def test_a_studio_that_edits_can_do_everything() -> None:
    """With a provider of all models, every action is offered."""
    assert possible_actions(BOTH) == set(Action)
    assert upscale_factors(BOTH) == (2, 3, 4)


@given(valid_options(), st.integers(64, 4096), st.integers(64, 4096))
def test_whatever_was_made_can_be_worked_with(options: dict[str, object], width: int, height: int) -> None:
    """Of every legal request each action makes one that some offer covers entirely, and that has a price."""
    request = generation_request(prompt="a fox", **options)  # type: ignore[arg-type]
    picture = make_image(width, height)
    made = [
        varied(request, picture, BOTH),
        edited(request, picture, "make it snow", BOTH),
        referring(request, picture, "a cat", BOTH),
        *(upscaled(request, picture, factor, BOTH) for factor in upscale_factors(BOTH)),
        cut_out(request, picture, BOTH),
    ]
    assert all(offers_for(each, BOTH) for each in made)
    assert all(price(each) > 0 for each in made)
