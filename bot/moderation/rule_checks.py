"""Checks of rules before they are stored or used."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import re2

from bot.domain.errors import PromptRuleTextError
from bot.domain.prompt_rules import (
    MAX_PATTERN_LENGTH,
    MAX_PATTERNS,
    MAX_RULE_LENGTH,
    MAX_RULES,
    PromptRule,
    PromptRuleKind,
    PromptRuleSource,
    RuleProblem,
)
from bot.moderation.disguises import terms_of, without_repeats
from bot.moderation.normalize import fold, is_unspaced, light

_PATTERN_MEMORY: Final = 1 << 20
MOST_ALIKE: Final = 20
"""Rules that differ only in doubled letters.

Each is compared at each place.
"""
# Unlike texts of one script: a pattern for all of them matches nearly everything.
_SAMPLES: Final = (
    ("a red panda astronaut, cinematic lighting", "Hund", "portrait of an old sailor", "XYZ", "un château"),
    ("кот в шляпе", "дом", "синий лес и звёзды", "Эйфелева башня"),
    ("城の上の月", "猫", "红熊猫宇航员", "山水"),
)


def check_rule(rule: PromptRule) -> None:
    """Check the text of one rule.

    Raises:
        PromptRuleTextError: it is empty, too long or wrong, or it would match every prompt.
    """
    text = rule.text.strip()
    is_pattern = rule.kind is PromptRuleKind.PATTERN
    if not text:
        raise PromptRuleTextError(RuleProblem.EMPTY, text)
    limit = MAX_PATTERN_LENGTH if is_pattern else MAX_RULE_LENGTH
    if len(text) > limit and rule.source is not PromptRuleSource.AUTOMOD:  # Discord limits those
        raise PromptRuleTextError(RuleProblem.TOO_LONG, text, limit=limit)
    if is_pattern:
        pattern = compile_pattern(text)
        if pattern.search("") is not None:
            raise PromptRuleTextError(RuleProblem.MATCHES_EMPTY, text)
        if any(all(pattern.search(light(sample)[0]) for sample in samples) for samples in _SAMPLES):
            raise PromptRuleTextError(RuleProblem.MATCHES_ALL, text)
        return
    folded = fold(text, symbols=False)
    letters = len(folded.keys)
    if not letters:
        raise PromptRuleTextError(RuleProblem.EMPTY, text)
    has_unspaced = any(is_unspaced(script) for script in folded.scripts)
    if letters == 1 and not has_unspaced:
        is_anywhere = rule.kind is PromptRuleKind.SUBSTRING or (rule.open_start and rule.open_end)
        problem = RuleProblem.MATCHES_ALL if is_anywhere else RuleProblem.TOO_SHORT
        raise PromptRuleTextError(problem, text)


def check_rules(rules: Sequence[PromptRule]) -> None:
    """Check the number of a guild's rules.

    Raises:
        PromptRuleTextError: there are too many, or too many that differ only in doubled letters.
    """
    if len(rules) > MAX_RULES:
        raise PromptRuleTextError(RuleProblem.TOO_MANY, "", limit=MAX_RULES)
    patterns = sum(rule.kind is PromptRuleKind.PATTERN for rule in rules)
    if patterns > MAX_PATTERNS:
        raise PromptRuleTextError(RuleProblem.TOO_MANY, "", limit=MAX_PATTERNS, patterns=True)
    for rule in too_similar(rules):
        raise PromptRuleTextError(RuleProblem.TOO_SIMILAR, rule.text, limit=MOST_ALIKE)


def too_similar(rules: Iterable[PromptRule]) -> Iterator[PromptRule]:
    """Yield rules too similar to others: only doubled letters differ."""
    alike: Counter[str] = Counter()
    for rule in rules:
        if rule.kind is PromptRuleKind.PATTERN:
            continue
        keys = [without_repeats(key) for key, _ in terms_of(rule)]
        alike.update(keys)
        if any(alike[key] > MOST_ALIKE for key in keys):
            yield rule


def compile_pattern(text: str) -> Any:
    """Return a compiled pattern.

    Raises:
        PromptRuleTextError: it is none, or needs too much memory.
    """
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    options.case_sensitive = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        if "too large" in said:
            raise PromptRuleTextError(RuleProblem.TOO_LARGE, text) from None
        raise PromptRuleTextError(RuleProblem.SYNTAX, text, said=said) from None
