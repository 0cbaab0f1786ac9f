"""Rules of AutoMod, compiled as Discord describes them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.domain.automod import AutoModRule
from bot.domain.errors import PromptRuleTextError
from bot.domain.prompt_rules import PromptRule, PromptRuleKind, PromptRuleSource, RuleProblem
from bot.moderation.matcher import RuleSet
from bot.moderation.normalize import fold, light
from bot.moderation.rule_checks import MOST_ALIKE, check_rule, too_similar

_WILDCARD: Final = "*"
# Discord's patterns are Rust's. RE2 reads these in another way, without a mistake: borders of words, and operators
# or further brackets within brackets.
_RUST_ALONE: Final = re.compile(
    r"""\\(?:[<>]|b\{)                                  # \<  \>  \b{start}
    | (?<!\\) \[ \^? \]? (?:\\.|[^\]\\])* (?:&&|--|~~)  # [a-z&&[^b]]
    | (?<!\\) \[ \^? \]? (?:\\.|[^\]\\\[])* \[ (?!:)    # [[a-c]x]
    """,
    re.VERBOSE,
)
# In RE2, borders of words are those of English letters.
_BORDER: Final = re.compile(r"\\[bB]")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedText:
    """An unusable keyword or pattern of AutoMod, with the reason."""

    rule_name: str
    error: PromptRuleTextError


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledAutoModRule:
    """A rule for searches, and its unusable parts."""

    rule: AutoModRule
    texts: RuleSet
    unused: tuple[UnusedText, ...]


def compile_automod(
    rules: Sequence[AutoModRule], *, known: Sequence[CompiledAutoModRule] = ()
) -> tuple[CompiledAutoModRule, ...]:
    """Compile rules, each with its own allowed words.

    `known` ones are taken as they are unless they changed.
    """
    compiled = {each.rule: each for each in known}
    return tuple(compiled.get(rule) or _compile(rule) for rule in rules)


def _compile(rule: AutoModRule) -> CompiledAutoModRule:
    used: list[PromptRule] = []
    unused: list[PromptRuleTextError] = []
    for each in dict.fromkeys(_texts(rule)):
        try:
            _check(each)
        except PromptRuleTextError as error:
            unused.append(error)
        else:
            used.append(each)
    similar = dict.fromkeys(too_similar(used))
    unused += [PromptRuleTextError(RuleProblem.TOO_SIMILAR, each.text, limit=MOST_ALIKE) for each in similar]
    return CompiledAutoModRule(
        rule=rule,
        texts=RuleSet([each for each in used if each not in similar]),
        unused=tuple(UnusedText(rule_name=rule.name, error=error) for error in unused),
    )


def _texts(rule: AutoModRule) -> Iterator[PromptRule]:
    """Yield a rule's texts. They have one id: a prompt matches the rule once."""
    for keyword in rule.keywords:
        yield _keyword(rule, keyword, PromptRuleKind.WORD)
    for pattern in rule.patterns:
        yield _text(rule, pattern, PromptRuleKind.PATTERN)
    for allowed in rule.allowed:
        yield _keyword(rule, allowed, PromptRuleKind.ALLOW)


def _keyword(rule: AutoModRule, typed: str, kind: PromptRuleKind) -> PromptRule:
    keyword = typed.strip()
    text = keyword.strip(_WILDCARD).strip()
    if kind is PromptRuleKind.WORD and not fold(text, symbols=False).keys and light(text)[0].strip():
        return replace(_text(rule, text, PromptRuleKind.PATTERN), is_literal=True)  # an emoji, for example
    whole = _text(rule, text or keyword, kind)
    return replace(whole, open_start=keyword.startswith(_WILDCARD), open_end=keyword.endswith(_WILDCARD))


def _text(rule: AutoModRule, text: str, kind: PromptRuleKind) -> PromptRule:
    return PromptRule(id=f"automod:{rule.id}", kind=kind, text=text, name=rule.name, source=PromptRuleSource.AUTOMOD)


def _check(rule: PromptRule) -> None:
    """Check a text; raises `PromptRuleTextError` if it cannot be used."""
    if rule.text and not rule.text.strip(_WILDCARD):
        raise PromptRuleTextError(RuleProblem.MATCHES_ALL, rule.text)
    if rule.is_literal:
        return
    if rule.kind is PromptRuleKind.PATTERN and _is_misread(rule.text):
        raise PromptRuleTextError(RuleProblem.UNSUPPORTED, rule.text)
    check_rule(rule)


def _is_misread(pattern: str) -> bool:
    """Return whether RE2 would take a pattern for another one."""
    if _RUST_ALONE.search(pattern.replace("\\\\", "")):
        return True
    return _BORDER.search(pattern) is not None and any(each.isalpha() and not each.isascii() for each in pattern)
