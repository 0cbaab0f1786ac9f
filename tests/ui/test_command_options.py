"""What Discord offers while a command is written: the models with their prices first of all."""

from typing import Any

from discord import app_commands

from bot.domain.options import OPTIONS
from bot.domain.quotes import quotes
from bot.ui.command_options import OTHER_DESCRIPTIONS, model_choices, suggested_choices

BOTH = ("skillboss", "reve2img")


def names(typed: str = "", **chosen: Any) -> list[str]:
    """Return what is offered for the model."""
    return [choice.name for choice in model_choices(quotes(chosen, BOTH), typed)]


def test_a_model_shows_its_price_and_what_it_is_good_at() -> None:
    """All models, as long as nothing is typed."""
    assert names() == [
        "reve-2.0 · 12 credits · all-round, true to the prompt, good at text",
        "nano-banana · 20 credits · quick ideas from text",
        "nano-banana-pro · 70 credits · fine detail, up to 4K",
        "seedream-5 · 25 credits · photographs and scenes",
    ]


def test_what_was_chosen_changes_the_prices() -> None:
    """Models that cannot do it come last and say what they cannot."""
    assert names(images=2, resolution="4K") == [
        "nano-banana-pro · 280 credits · fine detail, up to 4K",
        "seedream-5 · 50 credits · photographs and scenes",
        "reve-2.0 · cannot do resolution 4K",
        "nano-banana · cannot do resolution 4K",
    ]
    assert names("reve", detail=2, upscale="2x") == [
        "reve-2.0 · 30 credits · all-round, true to the prompt, good at text"
    ]


def test_typing_narrows_the_models() -> None:
    """By name or by what a model is good at, in any case; a slip offers all of them."""
    assert [name.split(" ")[0] for name in names("NANO")] == ["nano-banana", "nano-banana-pro"]
    assert [name.split(" ")[0] for name in names(" photo")] == ["seedream-5"]
    assert len(names("dall-e")) == 4
    assert [choice.value for choice in model_choices(quotes({}, BOTH), "seed")] == ["seedream-5"]


def test_the_choices_fit_discord() -> None:
    """At most 25 of at most 100 characters, whatever is chosen."""
    offered = [
        *model_choices(quotes({"remove_background": True, "format": "jpeg"}, BOTH), ""),
        *(choice for spec in OPTIONS.values() for choice in suggested_choices(spec, "")),
    ]
    assert all(1 <= len(choice.name) <= 100 and 1 <= len(str(choice.value)) <= 100 for choice in offered)
    assert all(len(spec.choices) <= 25 and all(map(str, spec.choices)) for spec in OPTIONS.values())
    texts = [*OTHER_DESCRIPTIONS.values(), *(spec.description for spec in OPTIONS.values())]
    assert all(1 <= len(text) <= 100 for text in texts)


def test_a_fit_is_offered_in_its_forms() -> None:
    """So that nobody has to remember them."""
    assert [choice.value for choice in suggested_choices(OPTIONS["fit"], "")] == ["2048", "2048x", "x1024", "1920x1080"]
    assert [choice.value for choice in suggested_choices(OPTIONS["fit"], "x")] == ["x1024"]
    assert suggested_choices(OPTIONS["fit"], "777") == []


def test_the_named_versions_are_offered() -> None:
    """A dated one is typed."""
    assert suggested_choices(OPTIONS["version"], "fast") == [
        app_commands.Choice(name="latest-fast", value="latest-fast")
    ]
    assert suggested_choices(OPTIONS["version"], "2025") == []
