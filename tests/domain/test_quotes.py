from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import Catalogue
from bot.domain.errors import ExclusiveOptionsError, UnsupportedOptionError
from bot.domain.quotes import quotes
from tests.support.catalogue import BOTH, NO_PROVIDERS, REVE2IMG, SKILLBOSS, generation_request, price
from tests.support.strategies import any_options


def prices(chosen: dict[str, Any], catalogue: Catalogue = BOTH) -> dict[str, int | None]:
    """Return the price by model."""
    return {quote.model.id: quote.price for quote in quotes(chosen, catalogue)}


def test_quotes_without_options_are_prices_of_one_image() -> None:
    assert prices({}) == {"reve-2.0": 12, "nano-banana": 20, "nano-banana-pro": 70, "seedream-5": 25}
    assert prices({}, SKILLBOSS) == {"reve-2.0": 12}
    assert prices({}, NO_PROVIDERS) == {}


def test_quotes_follow_options_and_omit_impossible_models() -> None:
    assert prices({"images": 4}) == {"reve-2.0": 48, "nano-banana": 80, "nano-banana-pro": 280, "seedream-5": 100}
    found = quotes({"resolution": "4K", "images": 2}, BOTH)
    assert [quote.price for quote in found] == [None, None, 280, 50]
    assert isinstance(found[0].obstacle, UnsupportedOptionError)
    assert found[0].obstacle.option == "resolution"


def test_exclusive_options_are_an_obstacle_for_every_model() -> None:
    (reve, *others) = quotes({"remove_background": True, "format": "jpeg"}, BOTH)
    assert isinstance(reve.obstacle, ExclusiveOptionsError)
    assert all(quote.obstacle is not None for quote in others)


@pytest.mark.parametrize(
    "chosen",
    [
        {"images": 9},
        {"images": "two"},
        {"images": True},
        {"detail": 2.5},
        {"fit": "huge"},
        {"format": "gif", "aspect_ratio": "7:3"},
        {"upscale": 2},
        {"model": "reve-2.0", "prompt": "a fox", "other": object()},
    ],
)
def test_invalid_values_count_as_not_chosen(chosen: dict[str, Any]) -> None:
    assert prices(chosen) == prices({})


@given(chosen=any_options(), catalogue=st.sampled_from([BOTH, SKILLBOSS, REVE2IMG]))
def test_quote_equals_the_price_or_error_of_the_request(chosen: dict[str, Any], catalogue: Catalogue) -> None:
    options = {name: value for name, value in chosen.items() if name not in {"inputs", "model"}}
    for quote in quotes(options, catalogue):
        if quote.obstacle is None:
            request = generation_request(prompt="a", model=quote.model.id, **options, catalogue=catalogue)
            assert quote.price == price(request)
        else:
            with pytest.raises(type(quote.obstacle)):
                generation_request(prompt="a", model=quote.model.id, **options, catalogue=catalogue)
