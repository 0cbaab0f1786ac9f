"""Findings about the offers and the providers' own lists of models."""

from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from bot.doctor import vendor_models
from bot.doctor.vendor_models import check_vendor_models, compare_models
from bot.domain.errors import FaultKind, ProviderError
from bot.providers.http import ProviderHttp
from bot.providers.model_list import ListedModel
from bot.providers.registry import PROVIDERS
from bot.settings import ExplicitSettings
from tests.support.catalogue import offer_of

TODAY = date(2026, 11, 30)


def compared(*listed: ListedModel) -> list[tuple[bool, str]]:
    """Return whether each finding is a warning, and its text."""
    offers = [offer_of("skillboss"), offer_of("reve2img", "seedream-5")]
    found = list(compare_models("vendor", offers, listed, TODAY))
    assert all(finding.good for finding in found)
    return [(finding.is_warning, finding.what) for finding in found]


def test_model_missing_from_the_list_is_a_warning() -> None:
    assert compared(ListedModel(id="seedream-5")) == [
        (True, "vendor does not list reve-2.0 (reve/text-to-image)"),
    ]


def test_near_shutdown_is_a_warning() -> None:
    soon, far = TODAY + timedelta(days=30), TODAY + timedelta(days=31)
    reve = ListedModel(id="reve/text-to-image", shuts_down=far)
    assert compared(reve, ListedModel(id="seedream-5", shuts_down=soon)) == [
        (True, f"vendor shuts seedream-5 down on {soon}"),
    ]
    assert compared(reve, ListedModel(id="seedream-5", shuts_down=far)) == [
        (False, "vendor lists all its models of the catalogue"),
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.MALFORMED, ["the models of reve2img were not compared: its list cannot be read"]),
        (FaultKind.KEY_REJECTED, []),  # the check of the keys says so
    ],
)
async def test_unreadable_list_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, kind: FaultKind, expected: list[str]
) -> None:
    async def fail(http: ProviderHttp) -> tuple[ListedModel, ...]:
        raise ProviderError(kind, provider=http.name)

    use_lister(monkeypatch, fail)
    assert await findings(reve2img_api_key="key") == [(False, what) for what in expected]


async def test_only_configured_providers_with_a_list_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    async def list_two(http: ProviderHttp) -> tuple[ListedModel, ...]:
        assert http.base_url == "https://reve2img.com"
        return tuple(ListedModel(id=name) for name in ("reve-2.0", "nano-banana"))

    use_lister(monkeypatch, list_two)
    assert await findings(reve2img_api_key="key", skillboss_wholesale_key="key") == [
        (True, "reve2img does not list nano-banana-pro"),
        (True, "reve2img does not list seedream-5"),
    ]
    assert await findings(skillboss_wholesale_key="key") == []


async def findings(**settings: Any) -> list[tuple[bool, str]]:
    """Return whether each finding is a warning, and its text."""
    found = await check_vendor_models(ExplicitSettings(**settings))
    assert all(finding.good for finding in found)
    return [(finding.is_warning, finding.what) for finding in found]


def use_lister(monkeypatch: pytest.MonkeyPatch, lister: Any) -> None:
    """Give reve2img a list of models."""
    spec = replace(PROVIDERS["reve2img"], list_models=lister)
    monkeypatch.setattr(vendor_models, "PROVIDERS", MappingProxyType({**PROVIDERS, "reve2img": spec}))
