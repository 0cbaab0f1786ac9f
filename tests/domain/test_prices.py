import pytest

from bot.domain.catalogue import MODELS, find_model
from bot.domain.requests import generation_request, price, unit_price


def test_the_prices_are_those_of_the_seed() -> None:
    """Seed "reve2img: Models": base credits a picture, from text and from pictures."""
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
    ],
)
def test_a_request_costs_pictures_times_detail_times_size(options: dict[str, object], each: int, total: int) -> None:
    """Seed: "Credits are multiplied by num_images", detail "billed as base x N", nano-banana-pro x2 at 4K."""
    request = generation_request(prompt="a", **options)  # type: ignore[arg-type]
    assert (unit_price(request), price(request)) == (each, total)


def test_a_model_is_found_by_its_name() -> None:
    """Every model that the catalogue has."""
    assert [find_model(model.id) for model in MODELS] == list(MODELS)
