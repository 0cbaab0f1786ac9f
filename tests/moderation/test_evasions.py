"""Disguised words, and the typed words in their matches."""

import pytest

from bot.domain.prompt_rules import PromptField, PromptRuleKind
from bot.moderation.matcher import RuleSet, matches_of
from tests.moderation.rules import rule

RULES = RuleSet([rule(each) for each in ("bad", "ass", "fuck", "skull", "bitch", "sex", "хуй", "coño", "死", "зло")])

DISGUISED = (
    *(
        "bad",
        "BAD",
        "Bad!",
        "(bad)",
        "a bad idea",
        "bad-tempered",
        "b\u200bad",
        "b\u00ada\u00add",
        "\u202ebad",
        "ba\ufe0fd",
    ),
    *("ｂａｄ", "𝐛𝐚𝐝", "𝔟𝔞𝔡", "𝓫𝓪𝓭", "ⓑⓐⓓ", "🅱🅰🅳", "🄱🄰🄳", "🇧🇦🇩", "ʙᴀᴅ", "ᵇᵃᵈ", "ƀad"),
    *("bаd", "Ьad", "ḃȧḋ", "b\u0336a\u0336d\u0336", "ba\u0301d", "b\u0489ad", "bad\u0301\u0302\u0303"),
    *("b4d", "b@d", "8ad", "8ad d0g", "fuсk", "fück"),
    *(
        "b a d",
        "B A D",
        "b  a  d",
        "b.a.d",
        "b-a-d",
        "b_a_d",
        "b*a*d",
        "b·a·d",
        "b. a. d",
        "b\na\nd",
        "b🔥a🔥d",
        "f.uck",
    ),
    *(
        "this is b a d",
        "a b a d idea",
        "b a d  d o g",
        "f u c k",
        "sex_scene",
        "big_ass",
        "a$$",
        "@$$",
        "@ss",
        "4ss",
        "s3x",
    ),
    *(
        "baaaad",
        "BAAAAD",
        "bbbaaaddd",
        "fuuuuck",
        "ffuucckk",
        "assss",
        "asssssss",
        "skuuull",
        "b!tch",
        "b1tch",
        "biTcH",
    ),
    *(
        "sкull",
        "skuII",
        "ѕех",
        "ass1",
        "2ass",
        "хуй",
        "ХУЙ",
        "xуй",
        "xyй",
        "х у й",
        "зл0",
        "coño",
        "COÑO",
        "con\u0303o",
    ),
    *(
        "死",
        "不死鳥",
        "死 神",
        "这个ass图",
        "f\u2060uck",
        "f\U000e0001uck",
        "b\u3164ad",
        "b\u034fad",
        "f/u/c/k",
        "f|u|c|k",
    ),
)


@pytest.mark.parametrize("typed", DISGUISED)
def test_disguised_word_is_found(typed: str) -> None:
    assert matches_of([RULES], typed, PromptField.PROMPT)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("draw a B.A.D. dog", "B.A.D"),
        ("so b\u200ba\u200bd", "b\u200ba\u200bd"),
        ("a bаааd day", "bаааd"),
        ("x 𝐛𝐚𝐝 y", "𝐛𝐚𝐝"),
        ("b\u0336a\u0336d\u0336!", "b\u0336a\u0336d\u0336"),
        ("so @$$!", "@$$"),
    ],
)
def test_match_has_the_words_as_typed(typed: str, words: str) -> None:
    (match,) = matches_of([RULES], typed, PromptField.NEGATIVE)
    assert (match.words, match.field) == (words, PromptField.NEGATIVE)


@pytest.mark.parametrize(
    ("text", "typed", "is_found"),
    [
        ("kill yourself", "please kill  yourself now", True),
        ("kill yourself", "KILL, yourself!", True),
        ("kill yourself", "k i l l yourself", True),
        ("kill yourself", "k1ll yóurself", True),
        ("kill yourself", "killyourself", False),
        ("kill yourself", "kill him yourself", False),
        ("the rapist", "therapist", False),
        ("the rapist", "the rapist", True),
        ("pen is", "penis", False),
        ("bad apple", "bad apples", False),
    ],
)
def test_phrase_is_found_with_its_spaces(text: str, typed: str, *, is_found: bool) -> None:
    rules = RuleSet([rule(text, PromptRuleKind.PHRASE)])
    assert bool(matches_of([rules], typed, PromptField.PROMPT)) is is_found


@pytest.mark.parametrize("typed", ["skill", "sk1ll", "s k i l l", "KILLER", "skіll"])
def test_substring_is_found_within_words(typed: str) -> None:
    assert matches_of([RuleSet([rule("kill", PromptRuleKind.SUBSTRING)])], typed, PromptField.PROMPT)


@pytest.mark.parametrize(
    ("pattern", "typed", "words"),
    [
        (r"gr[ae]y\d+", "a GRAY42 wall", "GRAY42"),
        (r"\bbad\b", "a b\u200bаd dog", "b\u200bаd"),
        (r"^evil", "ＥＶＩＬ twin", "ＥＶＩＬ"),
    ],
)
def test_pattern_is_searched_in_a_light_form(pattern: str, typed: str, words: str) -> None:
    (match,) = matches_of([RuleSet([rule(pattern, PromptRuleKind.PATTERN)])], typed, PromptField.PROMPT)
    assert match.words == words


def test_allowed_words_hide_matches_within_them_alone() -> None:
    rules = RuleSet([rule("naked"), rule("naked mole rat", PromptRuleKind.ALLOW)])
    assert not matches_of([rules], "a Naked Mole Rat", PromptField.PROMPT)
    assert matches_of([rules], "a naked mole rat beside a naked man", PromptField.PROMPT)
    assert matches_of([rules], "n4ked mole rat", PromptField.PROMPT)  # no disguise is allowed


def test_allow_rule_loosens_no_other_set() -> None:
    rules, others = RuleSet([rule("naked")]), RuleSet([rule("naked man", PromptRuleKind.ALLOW)])
    assert matches_of([rules, others], "a naked man", PromptField.PROMPT)


def test_words_of_two_fields_are_not_joined() -> None:
    rules = RuleSet([rule("bad apple", PromptRuleKind.PHRASE)])
    assert not any(matches_of([rules], text, field) for text, field in zip(["bad", "apple"], PromptField, strict=True))
