"""Autocompletion of command options: models with prices, sizes, versions."""

from typing import Any

from discord import app_commands

from bot.domain.options import OPTIONS
from bot.domain.quotes import quotes
from bot.ui.command_options import OTHER_DESCRIPTIONS, model_choices, suggested_choices
from tests.support.catalogue import BOTH


def names(typed: str = "", **chosen: Any) -> list[str]:
    """Return the completions of the model."""
    return [choice.name for choice in model_choices(quotes(chosen, BOTH), typed)]


def test_model_completion_shows_price_and_strength() -> None:
    assert names() == [
        "reve-2.0 · 12 credits · all-round, true to the prompt, good at text",
        "nano-banana · 20 credits · quick ideas from text",
        "nano-banana-pro · 70 credits · fine detail, up to 4K",
        "seedream-5 · 25 credits · photographs and scenes",
    ]


def test_model_completion_prices_follow_choice() -> None:
    """Unable models come last and name the obstacle."""
    assert names(images=2, resolution="4K") == [
        "nano-banana-pro · 280 credits · fine detail, up to 4K",
        "seedream-5 · 50 credits · photographs and scenes",
        "reve-2.0 · cannot do resolution 4K",
        "nano-banana · cannot do resolution 4K",
    ]
    assert names("reve", detail=2, upscale="2x") == [
        "reve-2.0 · 30 credits · all-round, true to the prompt, good at text"
    ]


def test_model_completion_filters_by_text() -> None:
    """By name or strength, ignoring case; a typo offers all."""
    assert [name.split(" ")[0] for name in names("NANO")] == ["nano-banana", "nano-banana-pro"]
    assert [name.split(" ")[0] for name in names(" photo")] == ["seedream-5"]
    assert len(names("dall-e")) == 4
    assert [choice.value for choice in model_choices(quotes({}, BOTH), "seed")] == ["seedream-5"]


def test_completions_fit_discord_limits() -> None:
    """At most 25 of at most 100 characters."""
    offered = [
        *model_choices(quotes({"remove_background": True, "format": "jpeg"}, BOTH), ""),
        *(choice for spec in OPTIONS.values() for choice in suggested_choices(spec, "")),
    ]
    assert all(1 <= len(choice.name) <= 100 and 1 <= len(str(choice.value)) <= 100 for choice in offered)
    assert all(len(spec.choices) <= 25 and all(map(str, spec.choices)) for spec in OPTIONS.values())
    texts = [*OTHER_DESCRIPTIONS.values(), *(spec.description for spec in OPTIONS.values())]
    assert all(1 <= len(text) <= 100 for text in texts)


def test_fit_completion_lists_forms() -> None:
    assert [choice.value for choice in suggested_choices(OPTIONS["fit"], "")] == ["2048", "2048x", "x1024", "1920x1080"]
    assert [choice.value for choice in suggested_choices(OPTIONS["fit"], "x")] == ["x1024"]
    assert suggested_choices(OPTIONS["fit"], "777") == []


def test_version_completion_lists_named_versions() -> None:
    named = [app_commands.Choice(name=name, value=name) for name in ("latest", "latest-fast")]
    assert suggested_choices(OPTIONS["version"], "lat", editing=True) == named
    assert suggested_choices(OPTIONS["version"], "lat") == named[:1]
    assert suggested_choices(OPTIONS["version"], "2025") == []
