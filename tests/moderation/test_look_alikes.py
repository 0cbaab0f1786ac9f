import tomllib
import unicodedata
from importlib import resources

import pytest
from confusable_homoglyphs import confusables

from bot.moderation.normalize import fold


def test_look_alikes_are_those_of_unicode() -> None:
    """The file holds all letters of other scripts, case-folded."""
    if unicodedata.unidata_version != "14.0.0":
        pytest.skip("other versions name other letters")
    expected: dict[str, set[str]] = {}
    taken: set[str] = set()
    for letter in "abcdefghijklmnopqrstuvwxyz":
        for typed in (letter, letter.upper()):
            alike = {each["c"] for each in confusables.confusables_data[typed] if _is_foreign(each["c"])}
            folded = {each.casefold() for each in alike} - taken
            expected.setdefault(letter, set()).update(folded)
            taken |= folded
    data = tomllib.loads(resources.files("bot.moderation").joinpath("look_alikes.toml").read_text(encoding="utf-8"))
    assert {letter: set(alikes) for letter, alikes in data.items()} == expected


def test_look_alike_gets_key_of_its_latin_letter() -> None:
    assert fold("ⲟ").keys == "o"


def _is_foreign(text: str) -> bool:
    return len(text) == 1 and text.isalpha() and not text.isascii() and not unicodedata.name(text).startswith("LATIN ")
