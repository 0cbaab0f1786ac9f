"""What Discord offers while a command is written: the models with their prices first of all."""

from typing import Any

from discord import app_commands

from bot.domain.quotes import quotes
from bot.ui.command_options import CHOICES, DESCRIPTIONS, fit_choices, model_choices, version_choices

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
        *fit_choices(""),
        *version_choices(""),
        *(choice for choices in CHOICES.values() for choice in choices),
    ]
    assert all(1 <= len(choice.name) <= 100 and 1 <= len(str(choice.value)) <= 100 for choice in offered)
    assert all(len(choices) <= 25 for choices in CHOICES.values())
    assert all(1 <= len(text) <= 100 for text in DESCRIPTIONS.values())


def test_a_fit_is_offered_in_its_forms() -> None:
    """So that nobody has to remember them."""
    assert [choice.value for choice in fit_choices("")] == ["2048", "2048x", "x1024", "1920x1080"]
    assert [choice.value for choice in fit_choices("x")] == ["x1024"]
    assert fit_choices("777") == []


def test_the_named_versions_are_offered() -> None:
    """A dated one is typed."""
    assert version_choices("fast") == [app_commands.Choice(name="latest-fast", value="latest-fast")]
    assert version_choices("2025") == []
