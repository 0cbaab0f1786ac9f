"""Searches for rules in prompts."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

import ahocorasick

from bot.domain.prompt_rules import Match, PromptField, PromptRule, PromptRuleKind
from bot.moderation.disguises import Term, is_match, is_stretched, is_typed, terms_of, without_repeats
from bot.moderation.normalize import NO_GAP, FoldedText, fold, light
from bot.moderation.rule_checks import compile_pattern

_MOST_COMPARISONS: Final = 50_000
"""Comparisons of a text. Beyond them the next candidate counts as a match, and no further words are allowed."""
_REPEATED: Final = re.compile(r"(.)\1\1|(?:(.)\2){3}", re.DOTALL)


@dataclass(slots=True)
class ComparisonBudget:
    """The comparisons left for a text, in one set of rules or in several."""

    left: int = _MOST_COMPARISONS

    def is_spent(self) -> bool:
        """Take one comparison; return True if none was left."""
        self.take()
        return self.left < 0

    def take(self) -> None:
        """Take one comparison."""
        self.left -= 1


@dataclass(frozen=True, slots=True)
class _Found:
    rule: PromptRule
    start: int
    end: int


class _Spans:
    """Places in a text, searched in logarithmic time: there may be thousands."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._furthest = list(accumulate((end for _, end in ordered), max))

    def contain(self, start: int, end: int) -> bool:
        """Return whether one of them surrounds a place."""
        before = bisect_right(self._starts, start)
        return before > 0 and self._furthest[before - 1] >= end


class PreparedText:
    """A field's text in the forms for searches."""

    def __init__(self, text: str) -> None:
        self.text = text
        folded = fold(text)
        self.forms = [folded]
        if folded.has_symbols:
            self.forms.append(fold(text, symbols=False))
        self._light: tuple[str, list[int]] | None = None

    @property
    def light(self) -> tuple[str, list[int]]:
        """The text for patterns, with the places of its characters."""
        if self._light is None:
            self._light = light(self.text)
        return self._light


@dataclass(slots=True)
class RuleSet:
    """Rules compiled for searches; its own allow rules apply to no other set."""

    rules: Sequence[PromptRule] = ()
    _exact: Any = field(init=False, default=None)
    _allows: Any = field(init=False, default=None)
    _short: Any = field(init=False, default=None)
    _patterns: list[tuple[PromptRule, Any]] = field(init=False, default_factory=list)
    _literals: Any = field(init=False, default=None)
    _count: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        exact: dict[str, list[Term]] = {}
        short: dict[str, list[Term]] = {}
        allows: dict[str, list[Term]] = {}
        literals: dict[str, list[tuple[PromptRule, int]]] = {}
        for rule in self.rules:
            if rule.is_literal:
                text = light(rule.text)[0].strip()
                literals.setdefault(text, []).append((rule, len(text)))
                continue
            if rule.kind is PromptRuleKind.PATTERN:
                self._patterns.append((rule, compile_pattern(rule.text)))
                continue
            for key, term in terms_of(rule):
                if rule.kind is PromptRuleKind.ALLOW:
                    allows.setdefault(key, []).append(term)
                else:
                    exact.setdefault(key, []).append(term)
                    short.setdefault(without_repeats(key), []).append(term)
        self._exact, self._short, self._allows = _automaton(exact), _automaton(short), _automaton(allows)
        self._literals = _automaton(literals)
        self._count = len({rule.id for rule in self.rules if rule.kind is not PromptRuleKind.ALLOW})

    def find(
        self, prepared: PreparedText, searched: PromptField, budget: ComparisonBudget | None = None
    ) -> list[Match]:
        """Return the first match of each rule in a field.

        `budget` is shared with other sets; by default this one has its own.
        """
        found: dict[str, _Found] = {}
        budget = budget or ComparisonBudget()
        allowed: _Spans | None = None  # searched for a match alone: most texts have none
        for each in self._search(prepared, budget, skip=found):
            if each.rule.id in found or searched not in each.rule.fields:
                continue
            if allowed is None:
                allowed = _Spans(self._allowed(prepared, budget))
            if budget.left < 0 or not allowed.contain(each.start, each.end):
                found[each.rule.id] = each
                if len(found) == self._count:
                    break
        return [
            Match(rule=each.rule, words=prepared.text[each.start : each.end], field=searched) for each in found.values()
        ]

    def _search(self, prepared: PreparedText, budget: ComparisonBudget, skip: dict[str, _Found]) -> Iterator[_Found]:
        for form in prepared.forms:
            if self._exact is not None:
                for last, terms in self._exact.iter(form.keys):
                    for term in terms:
                        first = last + 1 - term.length
                        if term.rule.id in skip:
                            continue
                        if budget.is_spent() or is_match(term, form, list(range(first, last + 1)), last + 1):
                            yield _Found(term.rule, form.starts[first], form.ends[last])
            if self._short is not None and _REPEATED.search(form.keys):
                yield from self._search_stretched(form, budget, skip)
        if self._patterns:
            yield from self._search_patterns(prepared, budget)
        if self._literals is not None:
            yield from self._search_literals(prepared, budget, skip)

    def _search_stretched(
        self, form: FoldedText, budget: ComparisonBudget, skip: dict[str, _Found]
    ) -> Iterator[_Found]:
        """Search words with repeated letters, such as "baaad"."""
        heads = [
            at for at, key in enumerate(form.keys) if at == 0 or form.gaps[at] != NO_GAP or key != form.keys[at - 1]
        ]
        ends = [*heads[1:], len(form.keys)]
        for last, terms in self._short.iter("".join(form.keys[at] for at in heads)):
            for term in terms:
                if term.rule.id in skip:
                    continue
                first = last + 1 - len(term.runs)
                is_spent = budget.is_spent()
                counts = [ends[at] - heads[at] for at in range(first, last + 1)]
                if not is_spent and not is_stretched(counts, term.runs):
                    continue
                letters = [
                    min(heads[at] + each, ends[at] - 1)
                    for at, run in zip(range(first, last + 1), term.runs, strict=True)
                    for each in range(run)
                ]
                if is_spent or is_match(term, form, letters, ends[last]):
                    yield _Found(term.rule, form.starts[heads[first]], form.ends[ends[last] - 1])

    def _search_patterns(self, prepared: PreparedText, budget: ComparisonBudget) -> Iterator[_Found]:
        text, places = prepared.light
        for rule, pattern in self._patterns:
            for each in pattern.finditer(text):
                if each.start() < each.end():
                    budget.take()
                    yield _Found(rule, places[each.start()], places[each.end() - 1] + 1)
                    if self._allows is None:
                        break

    def _search_literals(
        self, prepared: PreparedText, budget: ComparisonBudget, skip: dict[str, _Found]
    ) -> Iterator[_Found]:
        text, places = prepared.light
        for last, literals in self._literals.iter(text):
            for rule, length in literals:
                if rule.id not in skip:
                    budget.take()
                    yield _Found(rule, places[last + 1 - length], places[last] + 1)

    def _allowed(self, prepared: PreparedText, budget: ComparisonBudget) -> Iterator[tuple[int, int]]:
        """Yield the places of the allowed words, as they are usually typed."""
        if self._allows is None:
            return
        form = prepared.forms[0]
        for last, terms in self._allows.iter(form.keys):
            for term in terms:
                if budget.is_spent():
                    return
                first = last + 1 - term.length
                if is_typed(term, form, first):
                    yield form.starts[first], form.ends[last]


def _automaton(terms: Mapping[str, list[Any]]) -> Any:
    if not terms:
        return None
    automaton = ahocorasick.Automaton()
    for key, listed in terms.items():
        automaton.add_word(key, listed)
    automaton.make_automaton()
    return automaton


def matches_of(sets: Iterable[RuleSet], text: str, searched: PromptField) -> list[Match]:
    """Return the matches of several sets in a field, in the order of the sets."""
    prepared = PreparedText(text)
    return [match for rules in sets for match in rules.find(prepared, searched)]
