"""The catalogue: models, offers, the default, prices."""

import itertools
import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import StudioClosedError, UnknownModelError
from bot.domain.images import InputImage
from bot.domain.models import ListPrice, Mode, Model
from bot.domain.remix import NO_CHANGES, RequestChanges, make_again
from bot.domain.requests import require_offer
from tests.support.catalogue import (
    BOTH,
    MODELS,
    NO_PROVIDERS,
    REVE2IMG,
    SKILLBOSS,
    catalogue_of,
    generation_request,
    offer_of,
    price,
    unit_price,
)
from tests.support.factories import make_request

TODAY = date(2026, 3, 1)
PICTURE = InputImage(url="https://cdn.example/a.png")
PRICES = Path(__file__).parent / "data" / "prices.json"


def changed(model_id: str, **changes: Any) -> tuple[Model, ...]:
    """Return the shipped models with one of them changed."""
    return tuple(replace(model, **changes) if model.id == model_id else model for model in MODELS)


def ids(models: tuple[Model, ...]) -> list[str]:
    """Return the ids of models."""
    return [model.id for model in models]


def test_prices_of_all_models_and_options_are_as_before() -> None:
    """Source: the last release with models as constants wrote the file."""
    found = {}
    for model in BOTH.models:
        can = model.abilities
        combinations = itertools.product(
            ((), (PICTURE,)) if can.max_inputs else ((),),
            range(1, can["detail"] + 1),
            [None, *can["resolution"]],
            [None, *(f"{factor}x" for factor in can["upscale"])],
            (False, True) if can["remove_background"] else (False,),
            (None, "sepia") if can["effect"] else (None,),
            (1, 4),
        )
        names = ("inputs", "detail", "resolution", "upscale", "remove_background", "effect", "images")
        chosen = [dict(zip(names, values, strict=True)) for values in combinations]
        found[model.id] = [price(generation_request(prompt="a", model=model.id, **each)) for each in chosen]
    assert found == json.loads(PRICES.read_text())


@pytest.mark.parametrize(
    ("providers", "defaults", "expected"),
    [
        (("skillboss", "reve2img"), (), "reve-2.0"),
        (("reve2img",), (), "reve-2.0"),
        (("reve2img",), ("seedream-5", "nano-banana"), "seedream-5"),
        (("skillboss",), ("seedream-5", "reve-2.0"), "reve-2.0"),
        (("skillboss",), ("seedream-5",), "reve-2.0"),
        ((), ("seedream-5",), "seedream-5"),
        ((), (), "reve-2.0"),
    ],
)
def test_default_model_is_the_first_offered_one(
    providers: tuple[str, ...], defaults: tuple[str, ...], expected: str
) -> None:
    assert catalogue_of(*providers, defaults=defaults).default_model == expected


@pytest.mark.parametrize(
    ("day", "defaults", "expected"),
    [
        (date(2026, 8, 13), (), "reve-2.0"),
        (date(2026, 8, 14), (), "nano-banana"),
        (date(2026, 10, 2), (), "nano-banana-pro"),
        (date(2026, 10, 2), ("nano-banana",), "nano-banana"),
    ],
)
def test_default_model_is_the_first_living_one_unless_named(
    day: date, defaults: tuple[str, ...], expected: str
) -> None:
    assert catalogue_of("reve2img", today=day, defaults=defaults).default_model == expected


def test_default_model_is_a_retired_one_if_there_is_no_other() -> None:
    assert catalogue_of("skillboss", today=date(2026, 11, 30)).default_model == "reve-2.0"


def test_request_without_model_gets_the_default() -> None:
    catalogue = catalogue_of("reve2img", defaults=("seedream-5",))
    assert generation_request(prompt="a", catalogue=catalogue).model == "seedream-5"


def test_offers_are_in_the_operators_order_of_providers() -> None:
    for order in (("skillboss", "reve2img"), ("reve2img", "skillboss")):
        assert tuple(offer.provider for offer in catalogue_of(*order).offers_of("reve-2.0")) == order


@pytest.mark.parametrize(
    ("changes", "is_on", "warns"),
    [
        ({"retires": TODAY}, False, False),
        ({"retires": TODAY - timedelta(days=400)}, False, False),
        ({"retires": TODAY + timedelta(days=1)}, True, True),
        ({"retires": TODAY + timedelta(days=30)}, True, True),
        ({"retires": TODAY + timedelta(days=31)}, True, False),
        ({"retires": TODAY, "forced": True}, True, False),
        ({"retires": TODAY + timedelta(days=1), "forced": True}, True, False),
        ({"retired_upstream": TODAY - timedelta(days=1)}, True, False),
        ({"enabled": False}, False, False),
        ({"enabled": False, "forced": True}, False, False),
    ],
)
def test_model_is_on_until_it_retires(changes: dict[str, Any], *, is_on: bool, warns: bool) -> None:
    catalogue = catalogue_of("reve2img", models=changed("seedream-5", **changes), today=TODAY)
    assert ("seedream-5" in ids(catalogue.models)) is is_on
    assert bool(catalogue.offers_of("seedream-5")) is is_on
    assert ids(catalogue.retiring(TODAY)) == (["seedream-5"] if warns else [])
    assert "seedream-5" in ids(catalogue.known)


def test_retired_default_hands_over_to_the_next() -> None:
    models = changed("reve-2.0", retires=TODAY)
    assert catalogue_of("reve2img", models=models, today=TODAY).default_model == "nano-banana"
    chosen = catalogue_of("reve2img", models=models, today=TODAY, defaults=("reve-2.0", "seedream-5"))
    assert chosen.default_model == "seedream-5"


def test_retired_model_is_refused_with_those_that_can_do_the_same() -> None:
    catalogue = catalogue_of("reve2img", models=changed("seedream-5", retires=TODAY), today=TODAY)
    with pytest.raises(UnknownModelError) as caught:
        generation_request(prompt="a", model="seedream-5", inputs=(PICTURE,), catalogue=catalogue)
    assert (caught.value.model, caught.value.models) == ("seedream-5", ("reve-2.0", "nano-banana-pro"))
    request = make_request(model="seedream-5", resolution="4K")
    with pytest.raises(UnknownModelError) as caught:
        require_offer(request, catalogue)
    assert caught.value.models == ("nano-banana-pro",)
    for changes in (NO_CHANGES, RequestChanges(images=2)):
        with pytest.raises(UnknownModelError):
            require_offer(make_again(request, changes, catalogue), catalogue)


def test_request_of_removed_model_has_no_price_but_names_models() -> None:
    with pytest.raises(UnknownModelError) as caught:
        price(make_request(model="gone-1", resolution="2K"))
    assert (caught.value.model, caught.value.models) == ("gone-1", ("nano-banana-pro", "seedream-5"))


def test_find_without_any_model_raises_studio_closed() -> None:
    with pytest.raises(StudioClosedError):
        NO_PROVIDERS.find("reve-2.0")
    with pytest.raises(UnknownModelError) as caught:
        SKILLBOSS.find("nano-banana")
    assert caught.value.models == ("reve-2.0",)
    assert SKILLBOSS.find_known("nano-banana").text_price == 20


def test_price_follows_the_factor_of_each_resolution() -> None:
    models = changed("seedream-5", resolution_factors={"2K": 3, "4K": 5})
    catalogue = catalogue_of("reve2img", models=models)
    sizes = (None, "1K", "2K", "4K")
    requests = [generation_request(prompt="a", model="seedream-5", resolution=size) for size in sizes]
    assert [unit_price(each, catalogue) for each in requests] == [25, 25, 75, 125]
    assert [unit_price(each, REVE2IMG) for each in requests] == [25] * 4


@pytest.mark.parametrize(
    ("mode", "resolution", "quality", "amount"),
    [
        (Mode.TEXT, None, None, "0.04"),
        (Mode.TEXT, "1K", "medium", "0.04"),
        (Mode.TEXT, "4K", None, "0.10"),
        (Mode.TEXT, None, "low", "0.01"),
        (Mode.TEXT, "4K", "low", "0.025"),
        (Mode.EDIT, None, None, "0.05"),
        (Mode.EDIT, "4K", "low", "0.035"),
    ],
)
def test_list_price_depends_on_resolution_and_quality(
    mode: Mode, resolution: str | None, quality: str | None, amount: str
) -> None:
    price = ListPrice(
        valid_from=date(2026, 1, 1),
        text=Decimal("0.04"),
        edit=Decimal("0.05"),
        by_resolution={"4K": Decimal("0.10")},
        by_quality={"low": Decimal("0.01")},
    )

    assert price.of(mode, resolution=resolution, quality=quality) == Decimal(amount)


def test_list_price_is_the_latest_valid_one() -> None:
    old = ListPrice(valid_from=date(2026, 1, 1), text=Decimal("0.04"))
    new = ListPrice(valid_from=date(2026, 3, 1), text=Decimal("0.05"))
    offer = replace(offer_of("reve2img"), list_prices=(old, new))
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 2, 28), date(2026, 3, 1))
    assert [offer.list_price(day) for day in days] == [None, old, old, new]
