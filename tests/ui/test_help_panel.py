"""`/help` within Discord's limit for a message."""

from dataclasses import replace

import pytest

from bot.domain.catalogue import Catalogue
from bot.ui.render.command_list import CommandEntry, HelpPage, command_list
from bot.ui.render.panels import help_panel
from tests.support.catalogue import BOTH, MODELS
from tests.ui.view_reader import texts, utf16

LIMIT = 4000
IDS = dict.fromkeys(("imagine", "edit", "history", "settings set", "credits balance", "preset save"), 10**18)


def with_models(count: int) -> Catalogue:
    """Return the catalogue with copies of seedream-5 after its models."""
    copies = tuple(replace(MODELS[3], id=f"copy-{number}") for number in range(count))
    return replace(BOTH, models=(*BOTH.models, *copies))


def shown(catalogue: Catalogue) -> str:
    """Return the text of the panel."""
    (text,) = texts(help_panel(catalogue, IDS, mentions=True))
    return text


def test_few_models_have_their_options() -> None:
    assert shown(with_models(1)).count("1K, 2K, 4K") == 3


def test_options_of_the_last_models_give_way_first() -> None:
    text = shown(with_models(30))
    assert text.count("**copy-") == 30
    assert 0 < text.count("1K, 2K, 4K") < 32
    assert text.endswith("**copy-29** · 25 credits a picture, 25 an edit\n-# photographs and scenes")


@pytest.mark.parametrize("count", [0, 10, 24, 25, 30, 35, 36, 37, 40, 400])
def test_help_fits_a_message(count: int) -> None:
    text = shown(with_models(count))
    assert utf16(text) <= LIMIT
    listed = text.count("**copy-")
    assert listed == count or text.endswith(f"\n-# and {count - listed} more")


def test_moderators_read_where_to_begin_and_who_gets_the_commands() -> None:
    entries = [CommandEntry("studio setup", "Set up the studio"), CommandEntry("imagine", "Make pictures")]
    (text,) = texts(command_list(HelpPage.MODERATORS, entries, ["Report"], {"studio": 9}))
    assert "-# An admin begins with </studio setup:9>: it says what is missing." in text
    assert "Discord offers `/studio` to members with Manage Server." in text
    (text,) = texts(command_list(HelpPage.COMMANDS, entries, ["Report"], IDS))
    assert "Manage Server" not in text


@pytest.mark.parametrize("page", [HelpPage.COMMANDS, HelpPage.MODERATORS])
def test_list_of_commands_fits_a_message(page: HelpPage) -> None:
    groups = [f"studio {place}" for place in range(50)] + [f"preset {place}" for place in range(50)]
    entries = [CommandEntry(name, "\U0001f98a" * 100) for name in groups]
    (text,) = texts(command_list(page, entries, [f"Menu {place}" + "x" * 25 for place in range(5)], IDS))
    assert utf16(text) <= LIMIT
    assert "-# and " in text
