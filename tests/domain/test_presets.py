import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import OptionRangeError
from bot.domain.presets import MAX_NAME, Preset, PresetScope, checked_name, checked_template, preset_key, undo_token


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
def test_a_template_frames_the_prompt(template: str, prompt: str) -> None:
    """In its place, or behind it; nothing else in braces means anything."""
    assert Preset(name="x", template=template).prompt("a cat") == prompt


def test_what_is_typed_is_no_template() -> None:
    """A prompt that says {prompt} is taken as it is."""
    assert Preset(name="x", template="oil, {prompt}").prompt("the word {prompt}") == "oil, the word {prompt}"


@pytest.mark.parametrize("name", ["House Style", "house style", " HOUSE  style ", "house\nstyle"])
def test_a_name_is_found_however_it_is_written(name: str) -> None:
    """In capitals or not, with more blanks or fewer."""
    assert preset_key(name) == "house style"


def test_a_name_is_found_however_it_is_composed() -> None:
    """Two keyboards send the same word as different code points."""
    assert preset_key(unicodedata.normalize("NFD", "Äöü Å")) == preset_key(unicodedata.normalize("NFC", "äÖÜ å"))


@given(name=st.text(max_size=80))
def test_a_name_that_is_taken_is_found_and_fits(name: str) -> None:
    """Whatever is accepted fits its columns, is found by itself, and is accepted again as it is."""
    try:
        checked = checked_name(name)
    except OptionRangeError:
        return
    assert 1 <= len(checked) <= MAX_NAME
    assert 1 <= len(preset_key(name)) <= MAX_NAME
    assert preset_key(checked) == preset_key(name)
    assert checked_name(checked) == checked


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "\u200b", "\ufb03" * 40, "a\x00b", "\ud800"])
def test_what_is_no_name(name: str) -> None:
    """Nothing to be seen, too long (also once in small letters), or with what no database takes."""
    with pytest.raises(OptionRangeError):
        checked_name(name)


@pytest.mark.parametrize("template", ["{prompt} and {prompt}", "x" * 2001])
def test_what_is_no_template(template: str) -> None:
    """The prompt goes to one place."""
    with pytest.raises(OptionRangeError):
        checked_template(template)


def test_a_template_is_kept_without_blanks_around_it() -> None:
    """And none is an empty one."""
    assert checked_template("  oil on canvas\n") == "oil on canvas"
    assert checked_template(None) == ""


def test_a_mark_stands_for_one_preset() -> None:
    """It has the form that buttons have for a job, and another owner's preset of the same name has another one."""
    marks = {
        undo_token(PresetScope(member_id=1), "a"),
        undo_token(PresetScope(guild_id=1), "a"),
        undo_token(PresetScope(member_id=1), "b"),
    }
    assert len(marks) == 3
    assert all(len(mark) == 32 and set(mark) <= set("0123456789abcdef") for mark in marks)
