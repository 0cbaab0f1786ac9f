"""The built-in rules, compiled from their data file."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Final

from bot.domain.prompt_rules import (
    Match,
    PromptField,
    PromptRule,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleSource,
)
from bot.moderation.matcher import PreparedText, RuleSet

UNDRESSING: Final = "undressing"
MINORS: Final = "minors"

_FILE: Final = "builtin_rules.toml"
_PROMPT: Final = (PromptField.PROMPT,)
_NEGATIVE: Final = (PromptField.NEGATIVE,)


@dataclass(frozen=True, slots=True)
class BuiltInRules:
    """The built-in rules: for edits, and for every request."""

    edits: RuleSet
    always: RuleSet
    minors: RuleSet
    sexual: RuleSet

    def find_always(self, prepared: PreparedText, searched: PromptField) -> list[Match]:
        """Return the matches of the rules for every request."""
        if found := self.always.find(prepared, searched):
            return found
        minors = self.minors.find(prepared, searched)
        sexual = self.sexual.find(prepared, searched) if minors else []
        if not sexual:
            return []
        return [replace(minors[0], words=f"{sexual[0].words} … {minors[0].words}")]

    def find_in_edit(self, prepared: PreparedText, searched: PromptField) -> list[Match]:
        """Return the matches of the rules for requests with input pictures."""
        return self.edits.find(prepared, searched)


@cache
def built_in_rules(allowed: tuple[str, ...] = ()) -> BuiltInRules:
    """Return the compiled rules.

    `allowed` are the operator's harmless uses of words about undressing.
    """
    data = tomllib.loads(resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))
    undressing, negative, minors, sexual = (
        data[name] for name in (UNDRESSING, "undressing_negative", MINORS, "sexual")
    )
    return BuiltInRules(
        edits=RuleSet(
            [
                *_rules(UNDRESSING, undressing, fields=_PROMPT, scope=PromptRuleScope.EDITS),
                *_listed(UNDRESSING, PromptRuleKind.ALLOW, allowed, _PROMPT, PromptRuleScope.EDITS),
                *_rules(UNDRESSING, negative, fields=_NEGATIVE, scope=PromptRuleScope.EDITS),
            ]
        ),
        always=RuleSet(_listed(MINORS, PromptRuleKind.PHRASE, minors["always"], _PROMPT, PromptRuleScope.ALL)),
        minors=RuleSet(_rules(MINORS, minors, fields=_PROMPT)),
        sexual=RuleSet([*_rules(MINORS, undressing, fields=_PROMPT), *_rules(MINORS, sexual, fields=_PROMPT)]),
    )


def _rules(
    name: str,
    data: Mapping[str, Sequence[str]],
    *,
    fields: tuple[PromptField, ...],
    scope: PromptRuleScope = PromptRuleScope.ALL,
) -> list[PromptRule]:
    return [
        *_listed(name, PromptRuleKind.PHRASE, data["words"], fields, scope),
        *_listed(name, PromptRuleKind.PATTERN, data.get("patterns", ()), fields, scope),
        *_listed(name, PromptRuleKind.ALLOW, data.get("allow", ()), fields, scope),
    ]


def _listed(
    name: str, kind: PromptRuleKind, texts: Iterable[str], fields: tuple[PromptField, ...], scope: PromptRuleScope
) -> list[PromptRule]:
    common: dict[str, Any] = {"kind": kind, "name": name, "fields": fields, "scope": scope}
    return [
        PromptRule(id=f"{name}:{kind}:{text}", text=text, source=PromptRuleSource.BUILT_IN, **common) for text in texts
    ]
