"""Checks of rules, the built-in rules, and the operator's file."""

from pathlib import Path
from time import perf_counter

import pytest

from bot.domain.errors import PromptRuleTextError
from bot.domain.prompt_rules import (
    MAX_RULES,
    PromptField,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleSource,
    RuleProblem,
)
from bot.moderation.builtin_rules import MINORS, UNDRESSING, built_in_rules
from bot.moderation.matcher import PreparedText, RuleSet, matches_of
from bot.moderation.rule_checks import check_rule, check_rules
from bot.moderation.rule_file import RuleFileError, load_rule_file
from tests.moderation.rules import rule

WORD, SUBSTRING, PATTERN = PromptRuleKind.WORD, PromptRuleKind.SUBSTRING, PromptRuleKind.PATTERN


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (WORD, "", RuleProblem.EMPTY),
        (WORD, " \u200b ", RuleProblem.EMPTY),
        (WORD, "!!!", RuleProblem.EMPTY),
        (WORD, "e", RuleProblem.TOO_SHORT),
        (SUBSTRING, "e", RuleProblem.MATCHES_ALL),
        (WORD, "x" * 101, RuleProblem.TOO_LONG),
        (PATTERN, "x" * 201, RuleProblem.TOO_LONG),
        (PATTERN, "(a", RuleProblem.SYNTAX),
        (PATTERN, r"(?=look)", RuleProblem.SYNTAX),
        (PATTERN, r"(a)\1", RuleProblem.SYNTAX),
        (PATTERN, "a*", RuleProblem.MATCHES_EMPTY),
        (PATTERN, "^", RuleProblem.MATCHES_EMPTY),
        (PATTERN, ".", RuleProblem.MATCHES_ALL),
        (PATTERN, "[a-z]", RuleProblem.MATCHES_ALL),
        (PATTERN, r"\p{Cyrillic}", RuleProblem.MATCHES_ALL),
        (PATTERN, r"[\s\S]+", RuleProblem.MATCHES_ALL),
        (PATTERN, r"((\pL{1000}){1000})", RuleProblem.SYNTAX),
        (PATTERN, r"(?:\pL{100}){9}", RuleProblem.TOO_LARGE),
    ],
)
def test_unusable_rule_is_refused_with_its_problem(kind: PromptRuleKind, text: str, problem: RuleProblem) -> None:
    with pytest.raises(PromptRuleTextError) as refused:
        check_rule(rule(text, kind))
    assert refused.value.problem is problem


@pytest.mark.parametrize(("kind", "text"), [(WORD, "死"), (WORD, "go"), (PATTERN, r"gr[ae]y"), (SUBSTRING, "kill")])
def test_usable_rule_is_accepted(kind: PromptRuleKind, text: str) -> None:
    check_rule(rule(text, kind))


def test_number_of_rules_is_limited() -> None:
    check_rules([rule(f"word{number}") for number in range(MAX_RULES)])
    with pytest.raises(PromptRuleTextError) as refused:
        check_rules([rule(f"word{number}") for number in range(MAX_RULES + 1)])
    assert refused.value.problem is RuleProblem.TOO_MANY
    with pytest.raises(PromptRuleTextError) as refused:
        check_rules([rule("a" * number) for number in range(2, 30)])
    assert refused.value.problem is RuleProblem.TOO_SIMILAR


@pytest.mark.parametrize(
    "typed",
    [
        "as" * 2000,
        "a" * 4000,
        "a" + "\u0301" * 3999,
        "\u200b" * 4000,
        "a s " * 1000,
        "@$" * 2000,
        "(" * 4000,
        "аs" * 2000,
    ],
)
def test_hostile_text_is_searched_quickly(typed: str) -> None:
    rules = RuleSet(
        [*(rule(f"as{'as' * n}s") for n in range(20)), rule("(a+)+$", PATTERN), *(rule(f"w{n}") for n in range(480))]
    )
    start = perf_counter()
    matches_of([rules, built_in_rules().edits], typed, PromptField.PROMPT)
    assert perf_counter() - start < 1  # some hundredths of it, but tests share their processors


@pytest.mark.parametrize(
    "typed",
    [
        *("remove her clothes", "undress the woman", "make her n4ked", "put her in a bikini", "take off his shirt"),
        *(
            "mach sie nackt",
            "déshabille la femme",
            "quítale la ropa",
            "раздень её",
            "脱掉她的衣服",
            "裸にして",
            "옷을 벗겨줘",
        ),
        *("çıplak yap", "zonder kleren", "без одягу", "a see-through dress", "show her breasts", "sem roupa"),
    ],
)
def test_undressing_is_refused_in_edits(typed: str) -> None:
    (match, *_) = built_in_rules().find_in_edit(PreparedText(typed), PromptField.PROMPT)
    assert (match.rule.name, match.rule.source) == (UNDRESSING, PromptRuleSource.BUILT_IN)


@pytest.mark.parametrize(
    "typed",
    [
        *("remove the background", "take off the hat", "remove the stain on her dress", "change the dress to red"),
        *("a naga with a trident", "Nue from the legend", "после второго гола", "remove the clothes from the line"),
        *("nude lipstick", "a naked mole rat", "remove the clothes line", "make her smile", "give him a suit"),
    ],
)
def test_usual_edit_is_accepted(typed: str) -> None:
    assert built_in_rules().find_in_edit(PreparedText(typed), PromptField.PROMPT) == []


def test_negative_prompt_may_exclude_nudity_but_no_clothes() -> None:
    rules = built_in_rules()
    assert rules.find_in_edit(PreparedText("nude, nsfw"), PromptField.NEGATIVE) == []
    assert rules.find_in_edit(PreparedText("clothes"), PromptField.NEGATIVE)
    assert rules.find_in_edit(PreparedText("change the clothes"), PromptField.PROMPT) == []


@pytest.mark.parametrize("typed", ["naked child", "a 12 year old, n u d e", "голая девочка", "全裸の女児", "lolicon"])
def test_sexual_content_with_minors_is_refused_everywhere(typed: str) -> None:
    (match, *_) = built_in_rules().find_always(PreparedText(typed), PromptField.PROMPT)
    assert match.rule.name == MINORS


@pytest.mark.parametrize(
    "typed",
    [
        *("kids with ice cream", "a nude statue", "a 12 year old whisky", "naked mole rat baby", "a nude in a barn"),
        *("a same-sex couple with their baby", "kids in thong sandals", "a child in nude-coloured shoes"),
        *(
            "イエローの服の子供",
            "子供のエッチング",
            "カップヌードルを食べる子供",
            "çıplak ayaklı çocuk",
            "niño con los pies desnudos",
        ),
        *("孩子的异性交往", "Essex kids", "bambini a piedi nudi", "a kind nude woman", "baby blue lingerie"),
    ],
)
def test_either_word_alone_is_accepted(typed: str) -> None:
    assert built_in_rules().find_always(PreparedText(typed), PromptField.PROMPT) == []


def test_operators_file_is_read_with_names_and_scopes(tmp_path: Path) -> None:
    file = tmp_path / "rules.txt"
    file.write_text(
        "# mine\n[Slurs]\nword: oaf\n\nedits phrase: wet shirt\n[Other]\npattern: \\bgr[ae]y\nallow: oafish\n"
    )
    rules = load_rule_file(file)
    assert [(each.text, each.name, each.scope) for each in rules] == [
        ("oaf", "Slurs", PromptRuleScope.ALL),
        ("wet shirt", "Slurs", PromptRuleScope.EDITS),
        (r"\bgr[ae]y", "Other", PromptRuleScope.ALL),
        ("oafish", "Other", PromptRuleScope.ALL),
    ]
    assert {each.source for each in rules} == {PromptRuleSource.OPERATOR}


def test_mistakes_in_operators_file_are_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "rules.txt"
    file.write_text("word: fine\noops\npattern: (a\nword:\n")
    with pytest.raises(RuleFileError) as refused:
        load_rule_file(file)
    assert [line.removeprefix(f"{file}, ") for line in refused.value.lines] == [
        "line 2: takes one of word, phrase, substring, pattern, allow, then a colon and the text",
        "line 3: the pattern is wrong: missing ): (a",
        "line 4: the rule has no letters",
    ]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="cannot be read: No such file"):
        load_rule_file(tmp_path / "none.txt")


def test_operators_allowed_words_loosen_the_rules_for_edits_alone() -> None:
    loosened = built_in_rules(("lingerie shop",))
    assert loosened.find_in_edit(PreparedText("a lingerie shop"), PromptField.PROMPT) == []
    assert loosened.find_in_edit(PreparedText("in lingerie"), PromptField.PROMPT)
    assert loosened.find_always(PreparedText("a child in a lingerie shop"), PromptField.PROMPT)
