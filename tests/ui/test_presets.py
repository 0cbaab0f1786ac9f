"""Presets in words, within Discord's limits."""

import pytest
from discord import ui

from bot.domain.presets import MAX_PRESETS, Preset
from bot.services.presets import Deleted, Presets
from bot.ui.handlers.presets import preset_choices
from bot.ui.render.preset_panels import deleted_panel, presets_panel, restored_panel, saved_panel
from tests.ui.view_reader import parts

LOUD = Preset(
    name="*" * 63,
    template="_" * 2000,
    options={
        "model": "nano-banana-pro",
        "aspect_ratio": "16:9",
        "images": 4,
        "detail": 15,
        "format": "webp",
        "resolution": "4K",
        "upscale": "4x",
        "remove_background": False,
        "fit": "4096x4096",
        "effect": "x" * 64,
        "version": "x" * 64,
    },
)


def many(count: int, *, shared: bool = False) -> tuple[Preset, ...]:
    """Return presets of maximal size."""
    return tuple(
        Preset(name=f"{number:02}" + LOUD.name[2:], template="\U0001f98a" * 2000, options=LOUD.options, shared=shared)
        for number in range(count)
    )


def text_of(view: ui.LayoutView) -> str:
    """Return the one text of a card."""
    (text,) = [part["content"] for part in parts(view) if "content" in part]
    assert isinstance(text, str)
    return text


def length(text: str) -> int:
    """Return the length by Discord's count."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("in_server", [True, False])
def test_preset_list_fits_message(in_server: bool) -> None:
    """The rest is counted."""
    presets = Presets(own=many(MAX_PRESETS), shared=many(MAX_PRESETS, shared=True) if in_server else ())
    text = text_of(presets_panel(presets, in_server=in_server))
    assert length(text) <= 4000
    lines = text.splitlines()
    assert sum(line.startswith("**") for line in lines) + sum(
        int(line.split(" ")[2]) for line in lines if line.startswith("-# and ")
    ) == MAX_PRESETS * (2 if in_server else 1)


def test_preset_answers_fit_message() -> None:
    for view in (
        saved_panel(LOUD, replaced=True),
        deleted_panel(Deleted(preset=LOUD, undo_token="0" * 32)),
        restored_panel(LOUD),
    ):
        text = text_of(view)
        assert length(text) <= 4000
        assert "not cut out" in text


def test_preset_completions_fit_discord_limits() -> None:
    """At most 25 of at most 100 characters; prefix matches come first."""
    offered = preset_choices((*many(25), *many(25, shared=True)), "")
    assert len(offered) == 25
    assert all(len(choice.name) <= 100 and len(choice.value) <= 100 for choice in offered)
    presets = [Preset(name=name) for name in ("Dark Noir", "noir", "plain")]
    assert [choice.value for choice in preset_choices(presets, " NOIR")] == ["noir", "Dark Noir"]
