"""Harmless texts with bad words in them by chance."""

from pathlib import Path

import pytest

from bot.domain.prompt_rules import PromptField, PromptRuleKind
from bot.moderation.builtin_rules import built_in_rules
from bot.moderation.matcher import PreparedText, RuleSet, matches_of
from tests.moderation.rules import AMBIGUOUS, WORDS, rule

_FILE = Path(__file__).with_name("data") / "harmless.txt"
TEXTS = [line for line in _FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
SEARCHED = [word for word in WORDS if word not in AMBIGUOUS]


def test_harmless_texts_match_no_rule() -> None:
    rules = RuleSet([rule(word) for word in SEARCHED])
    found = {text: matches_of([rules], text, PromptField.PROMPT) for text in TEXTS}
    assert {text: [each.words for each in matches] for text, matches in found.items() if matches} == {}


def test_naive_search_would_refuse_many_of_them() -> None:
    assert len(TEXTS) > 700
    assert [word for word in SEARCHED if not any(word in text.casefold() for text in TEXTS)] == []


def test_harmless_texts_match_no_built_in_rule() -> None:
    rules = built_in_rules()
    for text in TEXTS:
        prepared = PreparedText(text)
        assert rules.find_always(prepared, PromptField.PROMPT) == []
        assert rules.find_in_edit(prepared, PromptField.PROMPT) == []


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("sik", "şık bir elbise"),
        ("ass", "er aß"),
        ("rape", "fromage râpé"),
        ("schwul", "schwüle Luft"),
        ("coño", "cono de helado"),
        ("ano", "un año"),
        ("piç", "a pic of a cat"),
        ("cock", "соск"),
        ("kill", "s k i l l"),
        ("bad", "a b c b a d g e r"),
        ("ass", "455"),
        ("ass", "A55 road"),
        ("sex", "s e x t e t"),
        ("penis", "pen is"),
        ("as", "ass"),
        ("god", "good"),
        ("fall", "fail"),
    ],
)
def test_word_alike_is_another_word(word: str, typed: str) -> None:
    assert not matches_of([RuleSet([rule(word)])], f"{typed} при луне", PromptField.PROMPT)


def test_accented_word_of_a_rule_needs_its_accent() -> None:
    assert matches_of([RuleSet([rule("piç")])], "piç", PromptField.PROMPT)


def test_pattern_matches_only_what_it_says() -> None:
    rules = RuleSet([rule(r"\bbad\b", PromptRuleKind.PATTERN)])
    assert not matches_of([rules], "badge", PromptField.PROMPT)
