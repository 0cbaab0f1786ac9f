"""AutoMod's rules, matched as Discord describes them."""

import pytest

from bot.domain.automod import AutoModRule
from bot.domain.prompt_rules import PromptField, PromptRuleSource, RuleProblem
from bot.moderation.automod_rules import compile_automod
from bot.moderation.matcher import ComparisonBudget, PreparedText


def find(text: str, *keywords: str, patterns: tuple[str, ...] = (), allowed: tuple[str, ...] = ()) -> str | None:
    """Return the words of a prompt matched by a rule."""
    rule = AutoModRule(id=7, name="Words", keywords=keywords, patterns=patterns, allowed=allowed)
    (compiled,) = compile_automod([rule])
    found = compiled.texts.find(PreparedText(text), PromptField.PROMPT)
    assert len(found) <= 1
    assert all((each.rule.name, each.rule.source) == ("Words", PromptRuleSource.AUTOMOD) for each in found)
    return found[0].words if found else None


def unused(*keywords: str, patterns: tuple[str, ...] = (), allowed: tuple[str, ...] = ()) -> list[RuleProblem]:
    """Return the problems of a rule's texts without use."""
    rule = AutoModRule(id=7, name="Words", keywords=keywords, patterns=patterns, allowed=allowed)
    (compiled,) = compile_automod([rule])
    return [each.error.problem for each in compiled.unused]


@pytest.mark.parametrize(
    ("keyword", "matched", "passed"),
    [
        ("cat", ("a Cat", "c a t", "cat, please"), ("catch", "wildcat", "location")),
        ("cat*", ("catch", "CAttLE", "a cat"), ("wildcat", "location")),
        ("*cat", ("wildcat", "copyCat", "a cat"), ("catch", "location")),
        ("*cat*", ("eduCation", "wildcat", "catch"), ("a dog",)),
        ("the mat", ("on the mat",), ("the matrix", "breathe mat")),
        ("the mat*", ("the matrix",), ("breathe matter", "breathe mat")),
        ("*the mat", ("breathe mat",), ("breathe matter", "the matrix")),
        ("*the mat*", ("breathe matter",), ("a mat",)),
        ("i like c++", ("I like C++ and rust",), ("i like it",)),
        ("1488", ("the 1488",), ("314889",)),
        ("*discord.gg*", ("https://discord.gg/abc",), ("a discord",)),
        ("\U0001f346", ("an \U0001f346 emoji",), ("an aubergine",)),
        ("\u2764\ufe0f", ("a \u2764\ufe0f heart", "a\u2764"), ("a heart",)),
        ("*\U0001f468\u200d\U0001f467*", ("a \U0001f468\u200d\U0001f467 family",), ("a \U0001f468 man",)),
        ("  cat* ", ("catch",), ("wildcat",)),
    ],
)
def test_wildcards_match_as_at_discord(keyword: str, matched: tuple[str, ...], passed: tuple[str, ...]) -> None:
    assert unused(keyword) == []
    assert [text for text in matched if find(text, keyword) is None] == []
    assert [text for text in passed if find(text, keyword) is not None] == []


def test_disguises_are_found_with_wildcards() -> None:
    assert find("a w1ldc@t here", "*wildcat*") == "w1ldc@t"
    assert find("c a t c h it", "cat*") == "c a t"
    assert find("w i l d c a t", "*cat") == "c a t"
    assert find("w i l d c a t", "cat*") is None
    assert find("c a t c h it", "*cat") is None


def test_allowed_words_of_the_same_rule_are_left_out() -> None:
    assert find("a scattered bag", "*cat*", allowed=("scattered",)) is None
    assert find("a scattered cat", "*cat*", allowed=("scattered",)) == "cat"
    assert find("scatters", "*cat*", allowed=("scatter",)) == "cat"
    assert find("scatters", "*cat*", allowed=("scatter*",)) is None
    assert find("a wildcat", "*cat*", allowed=("*cat",)) is None
    other = AutoModRule(id=8, name="Others", keywords=("cat",))
    allowing = AutoModRule(id=7, name="Words", keywords=("dog",), allowed=("cat",))
    _, compiled = compile_automod([allowing, other])
    assert compiled.texts.find(PreparedText("a cat"), PromptField.PROMPT)


def test_patterns_are_searched_without_case() -> None:
    assert find("a BAAAD fox", patterns=(r"\bba+d\b",)) == "BAAAD"
    assert find("a bat", patterns=("(b|c)at",), allowed=("bat",)) is None
    assert find("a cat", "dog", patterns=("(b|c)at",)) == "cat"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(a", RuleProblem.SYNTAX),
        (r"\u{1F346}", RuleProblem.SYNTAX),
        ("[a-z&&[^b]]x", RuleProblem.UNSUPPORTED),
        ("[[a-c]x]y", RuleProblem.UNSUPPORTED),
        (r"\b{start}bad", RuleProblem.UNSUPPORTED),
        (r"\<bad\>", RuleProblem.UNSUPPORTED),
        (r"\bкот\b", RuleProblem.UNSUPPORTED),
        (".*", RuleProblem.MATCHES_EMPTY),
        ("(?s).+", RuleProblem.MATCHES_ALL),
        ("(a{1000}){1000}", RuleProblem.SYNTAX),
    ],
)
def test_pattern_without_use_is_left_out_and_named(pattern: str, problem: RuleProblem) -> None:
    assert unused("cat", patterns=(pattern,)) == [problem]
    assert find("a cat", "cat", patterns=(pattern,)) == "cat"
    assert find("a fox", "cat", patterns=(pattern,)) is None


@pytest.mark.parametrize("pattern", [r"[\w.-]+@[\w-]+\.com", "[[:alpha:]]+ bad", r"\[a&&b\]", r"\\<bad", "кот+"])
def test_usual_pattern_is_used(pattern: str) -> None:
    assert unused(patterns=(pattern,)) == []


def test_keywords_for_everything_are_left_out() -> None:
    assert unused("*", "**", "*e*", "x", allowed=("*", "!")) == [
        *(RuleProblem.MATCHES_ALL,) * 3,
        RuleProblem.TOO_SHORT,
        RuleProblem.MATCHES_ALL,
        RuleProblem.EMPTY,
    ]
    assert find("a fox", "*", "**", "*e*", "x") is None


def test_keywords_that_differ_in_doubled_letters_are_limited() -> None:
    keywords = ["a" * first + "b" * second for first in range(1, 30) for second in range(1, 30)]
    problems = unused(*keywords)
    assert set(problems) == {RuleProblem.TOO_SIMILAR}
    assert len(problems) == len(keywords) - 20


def test_largest_rules_of_a_server_are_searched() -> None:
    rules = [
        AutoModRule(
            id=number,
            name=f"Rule {number}",
            keywords=tuple(f"*word{number}{chr(97 + at % 26)}{at}*" for at in range(1000)),
            patterns=tuple(f"pattern{number}{at}x+" for at in range(10)),
            allowed=tuple(f"allowed{number}{at}" for at in range(100)),
        )
        for number in range(6)
    ]
    compiled = compile_automod(rules)
    assert [each.unused for each in compiled] == [()] * 6
    prepared = PreparedText("a quiet harbour at dusk, " * 150 + "word5l999")
    found = [match for each in compiled for match in each.texts.find(prepared, PromptField.PROMPT)]
    assert [(each.rule.name, each.words) for each in found] == [("Rule 5", "word5l999")]
    again = compile_automod([*rules[:5], AutoModRule(id=5, name="New", keywords=("dusk",))], known=compiled)
    assert [each is old for each, old in zip(again, compiled, strict=True)] == [*[True] * 5, False]


def search(text: str, keyword: str, allowed: str, budget: ComparisonBudget) -> bool:
    """Search one keyword within a budget; return whether it was found."""
    rule = AutoModRule(id=7, name="Words", keywords=(keyword,), allowed=(allowed,))
    (compiled,) = compile_automod([rule])
    return bool(compiled.texts.find(PreparedText(text), PromptField.PROMPT, budget))


def test_candidates_for_stretched_words_are_counted() -> None:
    # Thousands of hostile keywords took 12 seconds.
    text = "ab" * 300 + "xxx"
    assert not search(text, "*aabb*", "nothing", ComparisonBudget())
    assert search(text, "*aabb*", "nothing", ComparisonBudget(100))


def test_comparisons_of_allowed_words_are_counted() -> None:
    text = "ab" * 300
    assert not search(text, "*ab*", "*ab*", ComparisonBudget())
    assert search(text, "*ab*", "*ab*", ComparisonBudget(100))


def test_text_without_a_match_is_not_searched_for_allowed_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.moderation.matcher.is_typed", lambda *_: pytest.fail("searched"))
    assert not search("ab" * 300, "cat", "*ab*", ComparisonBudget())


def test_keyword_of_invisible_characters_is_not_used() -> None:
    assert unused("\u200d", "\u202e*") == [RuleProblem.EMPTY] * 2


def test_emoji_is_no_compiled_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    # Thousands of patterns took 300 MB, and a second for each prompt.
    for module in ("matcher", "rule_checks"):
        monkeypatch.setattr(f"bot.moderation.{module}.compile_pattern", lambda _: pytest.fail("compiled"))
    assert find("a red \U0001f346 fox", "\U0001f346", "\U0001f4a3") == "\U0001f346"
