"""A button once sent to Discord is pressed for as long as its message exists, so its form is never forgotten."""

import ast
import re
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import ui

import bot.ui as ui_of_ours
from bot.ui.buttons import BUTTONS, JobButton, custom_id

ISSUED = (Path(__file__).parent / "issued_custom_ids.txt").read_text().split()
SOURCES = Path(ui_of_ours.__file__).parent
# Their fields live in memory, as long as their form.
FORMS = ("forms", "editing")


def template_of(button: type[ui.DynamicItem[Any]]) -> re.Pattern[str]:
    """Return the pattern that discord.py matches a pressed button's custom id with."""
    pattern: re.Pattern[str] = button.__discord_ui_compiled_template__
    return pattern


def action_of(form: str) -> str:
    """Return the version and the action of a custom id."""
    return ":".join(form.split(":")[:2])


@pytest.mark.parametrize("form", ISSUED)
def test_every_form_ever_issued_is_answered(form: str) -> None:
    """Exactly one registered button answers each form that was ever sent to Discord."""
    assert sum(template_of(button).fullmatch(form) is not None for button in BUTTONS) == 1


@pytest.mark.parametrize("form", ISSUED)
async def test_a_form_makes_the_button_that_carries_it(form: str) -> None:
    """The button made from a custom id is the one that issues this custom id."""
    (button,) = [each for each in BUTTONS if template_of(each).fullmatch(form)]
    match = template_of(button).fullmatch(form)
    assert match is not None
    item: ui.Item[ui.LayoutView] = ui.Button(custom_id=form)
    interaction: discord.Interaction[discord.Client] = object.__new__(discord.Interaction)
    made = await button.from_custom_id(interaction, item, match)
    assert made.custom_id == form


@pytest.mark.parametrize("button", BUTTONS)
def test_no_form_is_issued_that_the_file_does_not_have(button: type[JobButton]) -> None:
    """A new button, or a changed form, has to be added to the file; nothing is ever taken out of it."""
    issued = button("0190a5c2d3e47f8899aabbccddeeff00").custom_id
    assert issued in ISSUED


def test_no_action_is_issued_in_passing() -> None:
    """Every custom id in the sources is made by `custom_id`, for a button of the file; fields of forms are none."""
    actions = set()
    for source in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == custom_id.__name__:
                actions |= {f"a1:{each.value!s}" for each in node.args[:1] if isinstance(each, ast.Constant)}
            if isinstance(node, ast.keyword) and node.arg == "custom_id" and source.stem not in FORMS:
                assert isinstance(node.value, ast.Call)
    made: tuple[type[Any], ...] = BUTTONS
    actions |= {f"a1:{button.action}" for button in made if issubclass(button, JobButton)}
    assert actions == {action_of(form) for form in ISSUED}


@pytest.mark.parametrize(
    "form",
    [
        "a1:cancel:0190a5c2d3e47f8899aabbccddeeff00",
        "a1:cancel:0190a5c2d3e47f8899aabbccddeeff0:0",
        "a1:cancel:0190A5C2D3E47F8899AABBCCDDEEFF00:0",
        "xa1:cancel:0190a5c2d3e47f8899aabbccddeeff00:0",
        "a1:cancel:0190a5c2d3e47f8899aabbccddeeff00:0\n",
        "a2:cancel:0190a5c2d3e47f8899aabbccddeeff00:0",
    ],
)
def test_other_forms_are_not_answered(form: str) -> None:
    """What no version of ours has issued is left alone."""
    assert not any(template_of(button).fullmatch(form) for button in BUTTONS)


def test_custom_ids_fit_discord() -> None:
    """The longest custom id stays far below Discord's hundred characters."""
    assert len(custom_id("reference", "f" * 32, 99)) <= 100
