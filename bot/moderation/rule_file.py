"""The operator's file of prompt rules.

A rule a line: `word: text`, `phrase: text`, `substring: text`, `pattern: text` or `allow: text`, with `edits` before it
for requests with input pictures alone. `[Name]` names the rules below it, `#` begins a comment.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bot.domain.errors import PromptRuleTextError
from bot.domain.prompt_rules import (
    MAX_RULE_NAME,
    PromptRule,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleSource,
    RuleProblem,
)
from bot.moderation.rule_checks import check_rule

_LINE: Final = re.compile(r"(?P<edits>edits\s+)?(?P<kind>[a-z]+)\s*:\s*(?P<text>.*)", re.IGNORECASE)
_NAME: Final = re.compile(r"\[(?P<name>[^\]]+)\]")
_KINDS: Final = tuple(kind.value for kind in PromptRuleKind)
_MISTAKES: Final = {
    RuleProblem.EMPTY: "the rule has no letters",
    RuleProblem.TOO_SHORT: "one letter is too short for a rule",
    RuleProblem.TOO_LONG: "the rule is too long",
    RuleProblem.MATCHES_ALL: "the rule matches every prompt",
    RuleProblem.MATCHES_EMPTY: "the pattern matches the empty text",
    RuleProblem.SYNTAX: "the pattern is wrong",
    RuleProblem.TOO_LARGE: "the pattern needs too much memory",
}


class RuleFileError(ValueError):
    """Mistakes in a file of rules; `lines` has one for each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def load_rule_file(path: Path) -> tuple[PromptRule, ...]:
    """Return the rules of a file.

    Raises:
        RuleFileError: the file cannot be read, or has mistakes.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RuleFileError((f"{path} cannot be read: {error.strerror or type(error).__name__}",)) from None
    except UnicodeDecodeError:
        raise RuleFileError((f"{path} is no text in UTF-8: save it as UTF-8",)) from None
    rules: list[PromptRule] = []
    mistakes: list[str] = []
    for number, rule in _parsed(text):
        if isinstance(rule, str):
            mistakes.append(f"{path}, line {number}: {rule}")
        else:
            rules.append(rule)
    if mistakes:
        raise RuleFileError(tuple(mistakes))
    return tuple(rules)


def _parsed(text: str) -> Iterator[tuple[int, PromptRule | str]]:
    """Yield the rules by line; a text is a mistake."""
    name = ""
    for number, line in enumerate(text.splitlines(), start=1):
        typed = line.strip()
        if not typed or typed.startswith("#"):
            continue
        if heading := _NAME.fullmatch(typed):
            name = heading["name"].strip()[:MAX_RULE_NAME]
            continue
        found = _LINE.fullmatch(typed)
        if found is None or found["kind"].lower() not in _KINDS:
            yield number, f"takes one of {', '.join(_KINDS)}, then a colon and the text"
            continue
        rule = PromptRule(
            id=f"operator:{number}",
            kind=PromptRuleKind(found["kind"].lower()),
            text=found["text"].strip(),
            scope=PromptRuleScope.EDITS if found["edits"] else PromptRuleScope.ALL,
            name=name,
            source=PromptRuleSource.OPERATOR,
        )
        try:
            check_rule(rule)
        except PromptRuleTextError as error:
            yield number, f"{_MISTAKES[error.problem]}{f': {error.said}' if error.said else ''}"
        else:
            yield number, rule
