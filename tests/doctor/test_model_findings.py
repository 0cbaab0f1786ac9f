"""Findings about models."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.doctor.models import check_models
from bot.settings import Settings

ALL = "reve-2.0, nano-banana, nano-banana-pro, seedream-5"


async def findings(**settings: Any) -> list[tuple[str, str]]:
    """Return kind and text of each finding."""
    found = await check_models(Settings(**settings))
    kinds = {(True, False): "ok", (True, True): "warn", (False, False): "fault"}
    return [(kinds[each.good, each.is_warning], each.what) for each in found]


def written(folder: Path, text: str) -> Path:
    """Return a file of models."""
    file = folder / "own.toml"
    file.write_text(text)
    return file


async def test_models_and_default_are_named() -> None:
    upstream = (
        "reve-2.0 is on, although its maker ended its own service on 2026-08-14: its resellers may still serve it"
    )
    banana = (
        "nano-banana is on, although its maker ended its own service on 2026-10-02: its reseller may still serve it"
    )
    assert await findings(reve2img_api_key="key") == [
        ("ok", f"models: {ALL}; the default is nano-banana-pro"),
        ("ok", upstream),
        ("ok", banana),
    ]
    assert await findings(skillboss_wholesale_key="key", default_model="seedream-5") == [
        ("ok", "models: reve-2.0, nano-banana-pro; the default is nano-banana-pro"),
        ("warn", "DEFAULT_MODEL: seedream-5 is not offered"),
        ("ok", upstream),
    ]
    assert await findings() == []


async def test_retirements_are_warnings(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    soon, far = today + timedelta(days=29), today + timedelta(days=60)
    text = f"""
        [models."reve-2.0"]
        retired_upstream = 2999-01-01
        [models.nano-banana]
        retires = {today}
        [models.nano-banana-pro]
        retires = {soon}
        [models.seedream-5]
        retires = {far}
        """
    assert await findings(reve2img_api_key="key", models_file=written(tmp_path, text)) == [
        ("ok", "models: reve-2.0, nano-banana-pro, seedream-5; the default is reve-2.0"),
        ("warn", f"nano-banana is off: it retired on {today}"),
        ("warn", f"nano-banana-pro retires on {soon}"),
    ]


async def test_key_without_any_model_is_a_fault(tmp_path: Path) -> None:
    file = written(tmp_path, 'models."reve-2.0".enabled = false\nmodels.nano-banana-pro.enabled = false')
    assert await findings(skillboss_wholesale_key="key", models_file=file) == [
        ("fault", "no provider with a key has a model that is on"),
    ]


async def test_named_model_without_an_offer_is_a_warning(tmp_path: Path) -> None:
    """Before the first start there is no list."""
    warning = ("warn", "OPENROUTER_MODELS: qwen/qwen-image-3 is not offered")
    named = ("qwen/qwen-image-3", "google/gemini-nano-banana-2.1")
    settings: dict[str, Any] = {"openrouter_api_key": "key", "data_dir": tmp_path}

    assert (await findings(**settings, openrouter_models=named))[1:] == [warning]
    for names in (("all",), ("shipped",), named[1:]):
        assert len(await findings(**settings, openrouter_models=names)) == 1
