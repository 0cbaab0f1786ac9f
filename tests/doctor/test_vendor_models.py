"""Findings about the offers and the providers' own lists of models."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.doctor.providers import check_keys
from bot.doctor.vendor_models import check_vendor_models, compare_models
from bot.providers.model_list import ListedModel
from bot.settings import Settings
from sandbox.providers import OpenAiImagesServer
from tests.support.catalogue import offer_of

TODAY = date(2026, 11, 30)
FILE = """
[services.own-host]
shape = "openai"
profile = "localai"
url = "{url}"

[models.drafts]
good_at = "drafts"
max_prompt = 2000
credits.text = 1
[models.drafts.offers.own-host]
remote_model = "{model}"
"""


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


@pytest.fixture
async def server() -> AsyncIterator[OpenAiImagesServer]:
    """Yield a service of the operator's own."""
    server = OpenAiImagesServer(profile="localai")
    await server.start()
    yield server
    await server.close()


def settings_of(folder: Path, url: str, model: str = "stablediffusion") -> Settings:
    """Return settings with a service."""
    file = folder / "own.toml"
    file.write_text(FILE.format(url=url, model=model))
    return Settings(models_file=file)


async def test_offer_of_a_service_is_compared_with_its_list(server: OpenAiImagesServer, tmp_path: Path) -> None:
    for model, expected in (
        ("stablediffusion", (False, "own-host lists all its models of the catalogue")),
        ("gone", (True, "own-host does not list drafts (gone)")),
    ):
        (finding,) = await check_vendor_models(settings_of(tmp_path, f"{server.url}/v1", model))
        assert (finding.is_warning, finding.what) == expected


async def test_unreadable_list_is_no_fault(server: OpenAiImagesServer, tmp_path: Path) -> None:
    (finding,) = await check_vendor_models(settings_of(tmp_path, f"{server.url}/v2"))
    assert (finding.good, finding.is_warning) == (True, False)
    assert finding.what == "the models of own-host were not compared: its list cannot be read"


async def test_unreachable_service_is_reported_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "http://127.0.0.1:1/v1")
    (finding,) = await check_keys(settings)
    assert finding.what == "own-host cannot be reached (no connection)"
    assert "services.own-host.url in MODELS_FILE" in finding.remedy
    assert await check_vendor_models(settings) == []


async def test_service_without_a_key_answers(server: OpenAiImagesServer, tmp_path: Path) -> None:
    (finding,) = await check_keys(settings_of(tmp_path, f"{server.url}/v1"))
    assert (finding.good, finding.what) == (True, "own-host answers")


async def test_shutdown_at_openai_is_a_warning(tmp_path: Path) -> None:
    """The shipped models are listed; the operator's own one ends."""
    server = OpenAiImagesServer(key="sk-doctor")
    await server.start()
    file = tmp_path / "own.toml"
    file.write_text(
        '[models.old]\ngood_at = "drafts"\nmax_prompt = 2000\ncredits.text = 1\n'
        '[models.old.offers.openai]\nremote_model = "gpt-image-1.5"\n'
    )
    keys = {"openai_api_key": "sk-doctor", "openai_api_url": f"{server.url}/v1"}
    settings: Any = {"models_file": file, **keys}

    found = await check_vendor_models(Settings(**settings))
    await server.close()

    assert [(finding.is_warning, finding.what) for finding in found] == [
        (True, "openai shuts old (gpt-image-1.5) down on 2026-12-01"),
    ]
