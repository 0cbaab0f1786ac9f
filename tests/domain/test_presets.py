import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import OptionRangeError
from bot.domain.presets import MAX_NAME, Preset, PresetScope, preset_key, undo_token, validate_name, validate_template


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("", "a cat"),
        ("watercolour", "watercolour, a cat"),
        ("{prompt}", "a cat"),
        ("a poster of {prompt}, in three colours", "a poster of a cat, in three colours"),
        ("{0} {model} %s", "{0} {model} %s, a cat"),
    ],
)
def test_prompt_takes_its_place_in_the_template_or_follows_it(template: str, prompt: str) -> None:
    assert Preset(name="x", template=template).prompt("a cat") == prompt


def test_placeholder_in_typed_prompt_is_kept() -> None:
    assert Preset(name="x", template="oil, {prompt}").prompt("the word {prompt}") == "oil, the word {prompt}"


@pytest.mark.parametrize("name", ["House Style", "house style", " HOUSE  style ", "house\nstyle"])
def test_preset_key_ignores_case_and_blanks(name: str) -> None:
    assert preset_key(name) == "house style"


def test_preset_key_ignores_unicode_composition() -> None:
    assert preset_key(unicodedata.normalize("NFD", "Äöü Å")) == preset_key(unicodedata.normalize("NFC", "äÖÜ å"))


@given(name=st.text(max_size=80))
def test_accepted_name_fits_its_column_and_is_stable(name: str) -> None:
    try:
        checked = validate_name(name)
    except OptionRangeError:
        return
    assert 1 <= len(checked) <= MAX_NAME
    assert 1 <= len(preset_key(name)) <= MAX_NAME
    assert preset_key(checked) == preset_key(name)
    assert validate_name(checked) == checked


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "\u200b", "\ufb03" * 40, "a\x00b", "\ud800"])
def test_invalid_name_raises(name: str) -> None:
    with pytest.raises(OptionRangeError):
        validate_name(name)


@pytest.mark.parametrize("template", ["{prompt} and {prompt}", "x" * 2001])
def test_invalid_template_raises(template: str) -> None:
    with pytest.raises(OptionRangeError):
        validate_template(template)


def test_template_is_stripped_and_none_is_empty() -> None:
    assert validate_template("  oil on canvas\n") == "oil on canvas"
    assert validate_template(None) == ""


def test_undo_token_is_unique_per_scope_and_fits_a_custom_id() -> None:
    marks = {
        undo_token(PresetScope(member_id=1), "a"),
        undo_token(PresetScope(guild_id=1), "a"),
        undo_token(PresetScope(member_id=1), "b"),
    }
    assert len(marks) == 3
    assert all(len(mark) == 32 and set(mark) <= set("0123456789abcdef") for mark in marks)
