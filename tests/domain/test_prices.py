from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.images import InputImage
from bot.domain.options import EDIT_VERSIONS, QUALITIES, RATIOS
from bot.domain.requests import GenerationRequest
from tests.support.catalogue import BOTH, MODELS, catalogue_with, generation_request, price, unit_price
from tests.support.factories import make_job
from tests.support.strategies import valid_options

PICTURE = InputImage(url="https://cdn.example/fox.png")


def test_model_prices_equal_the_seed() -> None:
    """Source: seed "reve2img: Models", base credits per image."""
    assert {model.id: (model.text_price, model.edit_price) for model in MODELS} == {
        "reve-2.0": (12, 20),
        "nano-banana": (20, None),
        "nano-banana-pro": (70, 70),
        "seedream-5": (25, 25),
    }


@pytest.mark.parametrize(
    ("options", "each", "total"),
    [
        ({}, 12, 12),
        ({"images": 4}, 12, 48),
        ({"detail": 15}, 180, 180),
        ({"images": 3, "detail": 2}, 24, 72),
        ({"aspect_ratio": "auto", "format": "webp"}, 12, 12),
        ({"model": "nano-banana", "images": 2}, 20, 40),
        ({"model": "nano-banana-pro"}, 70, 70),
        ({"model": "nano-banana-pro", "resolution": "2K"}, 70, 70),
        ({"model": "nano-banana-pro", "resolution": "4K"}, 140, 140),
        ({"model": "nano-banana-pro", "resolution": "4K", "images": 4}, 140, 560),
        ({"model": "seedream-5", "resolution": "4K"}, 25, 25),
        ({"upscale": "2x"}, 18, 18),
        ({"upscale": "3x"}, 21, 21),
        ({"upscale": "4x"}, 24, 24),
        ({"remove_background": True, "images": 2}, 18, 36),
        ({"effect": "film grain"}, 16, 16),
        ({"fit": "1024", "version": "latest"}, 12, 12),
        ({"detail": 3, "upscale": "2x", "remove_background": True, "effect": "sepia", "images": 4}, 52, 208),
        ({"inputs": (PICTURE,)}, 20, 20),
        ({"inputs": (PICTURE,) * 3, "detail": 2, "upscale": "2x", "images": 2}, 46, 92),
        ({"model": "nano-banana-pro", "inputs": (PICTURE,), "resolution": "4K"}, 140, 140),
    ],
)
def test_price_is_images_times_detail_times_size_plus_surcharges(
    options: dict[str, Any], each: int, total: int
) -> None:
    """Seed: "Credits are multiplied by num_images".

    Detail is "billed as base x N", nano-banana-pro x2 at 4K.

    Post-processing is added to each image; detail does not multiply it.
    """
    request = generation_request(prompt="a", **options)
    assert (unit_price(request), price(request)) == (each, total)


@given(options=valid_options(), ratio=st.sampled_from(RATIOS))
def test_price_is_independent_of_ratio(options: dict[str, Any], ratio: str) -> None:
    """A ratio may be set right after the credits were held."""
    request = generation_request(prompt="a", **options)
    assert price(replace(request, aspect_ratio=ratio)) == price(request)


@given(options=valid_options())
def test_unit_price_is_within_bounds_and_divides_the_price(options: dict[str, Any]) -> None:
    request = generation_request(prompt="a", **options)
    model = BOTH.find(request.model)
    base = model.edit_price if request.inputs else model.text_price
    assert base is not None
    extras = 12 + 6 + 4  # the largest upscale, the background, an effect
    most = base * model.resolution_factors.get("4K", 1) * request.detail + (extras if model.id == "reve-2.0" else 0)
    assert base <= unit_price(request) <= most
    assert price(request) == unit_price(request) * request.images
    assert make_job(request=request).unit_price == unit_price(request)


@given(options=valid_options(), images=st.integers(1, 4))
def test_price_grows_with_options_and_images(options: dict[str, Any], images: int) -> None:
    request = generation_request(prompt="a", **options)
    needed = {"inputs"} if options.get("version") in EDIT_VERSIONS else set()
    for name in set(options) - {"model", "format"} - needed:
        less = generation_request(prompt="a", **{key: value for key, value in options.items() if key != name})
        assert price(less) <= price(request)
    assert price(generation_request(prompt="a", **options | {"images": images})) == unit_price(request) * images


def test_price_of_edit_without_edit_price_raises() -> None:
    with pytest.raises(ValueError, match="nano-banana"):
        price(GenerationRequest(prompt="a", model="nano-banana", inputs=(PICTURE,)))


def test_find_returns_every_model_by_id() -> None:
    assert [BOTH.find(model.id) for model in MODELS] == list(MODELS)


@pytest.mark.parametrize(
    ("options", "each"),
    [
        ({}, 25),
        ({"quality": "medium"}, 25),
        ({"quality": "low"}, 13),
        ({"quality": "high"}, 100),
        ({"quality": "low", "images": 3}, 13),
    ],
)
def test_quality_multiplies_the_price_of_a_picture_and_rounds_up(options: dict[str, Any], each: int) -> None:
    catalogue = catalogue_with(
        "seedream-5", quality=QUALITIES, quality_factors={"low": Decimal("0.5"), "high": Decimal(4)}
    )
    request = generation_request(prompt="a", model="seedream-5", catalogue=catalogue, **options)
    assert (unit_price(request, catalogue), price(request, catalogue)) == (each, each * request.images)
