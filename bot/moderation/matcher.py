"""Compiled rules for prompts."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

import ahocorasick
import re2

from bot.domain.errors import PromptRuleTextError
from bot.domain.prompt_rules import (
    MAX_PATTERN_LENGTH,
    MAX_PATTERNS,
    MAX_RULE_LENGTH,
    MAX_RULES,
    Match,
    PromptField,
    PromptRule,
    PromptRuleKind,
    PromptRuleSource,
    RuleProblem,
)
from bot.moderation.normalize import (
    ACCENTED,
    DIGIT,
    FOREIGN,
    JOINT,
    MARKED,
    NO_GAP,
    SYMBOL,
    UPPER,
    FoldedText,
    fold,
    harmless_words,
    is_unspaced,
    light,
)

_PATTERN_MEMORY: Final = 1 << 20
_SHORT: Final = 3
"""Letters of a short word: accents count in it."""
_SPACED_FROM: Final = 3
"""Letters of a word from which on it is searched as in "b a d"."""
_STRETCHED: Final = 3
MOST_ALIKE: Final = 20
"""Rules that differ only in doubled letters.

Each is compared at each place.
"""
_MOST_COMPARISONS: Final = 50_000
"""Comparisons of a text. Beyond them the next candidate counts as a match, and no further words are allowed."""
_TRIMMED: Final = frozenset("aioeyuàéèвикосуя")
"""One-letter words that may stand before a word typed letter by letter."""
_REPEATED: Final = re.compile(r"(.)\1\1|(?:(.)\2){3}", re.DOTALL)
# Unlike texts of one script: a pattern for all of them matches nearly everything.
_SAMPLES: Final = (
    ("a red panda astronaut, cinematic lighting", "Hund", "portrait of an old sailor", "XYZ", "un château"),
    ("кот в шляпе", "дом", "синий лес и звёзды", "Эйфелева башня"),
    ("城の上の月", "猫", "红熊猫宇航员", "山水"),
)


@dataclass(frozen=True, slots=True)
class _Term:
    """A rule's text as letters; `runs` counts the repeated ones."""

    rule: PromptRule
    raw: tuple[str, ...]
    breaks: frozenset[int]
    runs: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.raw)

    @property
    def starts(self) -> bool:
        """True if a word must start with the term."""
        return self.rule.kind is not PromptRuleKind.SUBSTRING and not self.rule.open_start

    @property
    def ends(self) -> bool:
        """True if a word must end with the term."""
        return self.rule.kind is not PromptRuleKind.SUBSTRING and not self.rule.open_end


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
        exact: dict[str, list[_Term]] = {}
        short: dict[str, list[_Term]] = {}
        allows: dict[str, list[_Term]] = {}
        literals: dict[str, list[tuple[PromptRule, int]]] = {}
        for rule in self.rules:
            if rule.is_literal:
                text = light(rule.text)[0].strip()
                literals.setdefault(text, []).append((rule, len(text)))
                continue
            if rule.kind is PromptRuleKind.PATTERN:
                self._patterns.append((rule, compile_pattern(rule.text)))
                continue
            for key, term in _terms(rule):
                if rule.kind is PromptRuleKind.ALLOW:
                    allows.setdefault(key, []).append(term)
                else:
                    exact.setdefault(key, []).append(term)
                    short.setdefault(_without_repeats(key), []).append(term)
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
                        if budget.is_spent() or _is_match(term, form, list(range(first, last + 1)), last + 1):
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
                if not is_spent and not _is_stretched(counts, term.runs):
                    continue
                letters = [
                    min(heads[at] + each, ends[at] - 1)
                    for at, run in zip(range(first, last + 1), term.runs, strict=True)
                    for each in range(run)
                ]
                if is_spent or _is_match(term, form, letters, ends[last]):
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
                if _is_typed(term, form, first):
                    yield form.starts[first], form.ends[last]


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
        keys = [_without_repeats(key) for key, _ in _terms(rule)]
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


def _terms(rule: PromptRule) -> Iterator[tuple[str, _Term]]:
    texts = {rule.text, rule.text.replace("ß", "ss")}
    for text in sorted(texts):
        folded = fold(text, symbols=any(each.isdigit() or each.isalpha() for each in text))
        if not folded.keys:
            continue
        breaks = frozenset(at for at in range(1, len(folded.keys)) if folded.gaps[at] != NO_GAP)
        yield folded.keys, _Term(rule, tuple(folded.raw), breaks, _runs(folded.keys))


def _automaton(terms: Mapping[str, list[Any]]) -> Any:
    if not terms:
        return None
    automaton = ahocorasick.Automaton()
    for key, listed in terms.items():
        automaton.add_word(key, listed)
    automaton.make_automaton()
    return automaton


def _runs(keys: str) -> tuple[int, ...]:
    counts: list[int] = []
    for at, key in enumerate(keys):
        if at and key == keys[at - 1]:
            counts[-1] += 1
        else:
            counts.append(1)
    return tuple(counts)


def _without_repeats(keys: str) -> str:
    return "".join(key for at, key in enumerate(keys) if at == 0 or key != keys[at - 1])


def _is_stretched(counts: Sequence[int], runs: Sequence[int]) -> bool:
    """Return whether letters are repeated as no usual word repeats them."""
    if any(count < run for count, run in zip(counts, runs, strict=True)):
        return False
    if all(count == run for count, run in zip(counts, runs, strict=True)):
        return False  # the other search has it
    if len(counts) >= _SPACED_FROM and all(count > 1 for count in counts):
        return True
    return all(count == run or count >= _STRETCHED for count, run in zip(counts, runs, strict=True))


def _is_typed(term: _Term, form: FoldedText, first: int) -> bool:
    """Return whether letters are a term in its plain spelling."""
    end = first + term.length
    if any(raw != form.raw[first + at] for at, raw in enumerate(term.raw)):
        return False
    if any((form.gaps[first + at] != NO_GAP) != (at in term.breaks) for at in range(1, term.length)):
        return False
    return _has_edges(term, form, first, end)


def _is_match(term: _Term, form: FoldedText, letters: Sequence[int], end: int) -> bool:
    """Return whether letters with the keys of a term stand for it."""
    if not _has_edges(term, form, letters[0], end):
        return False
    if not _are_gaps_meant(term, form, letters, end):
        return False
    return _are_letters_meant(term, form, letters, end)


def _has_edges(term: _Term, form: FoldedText, first: int, end: int) -> bool:
    """Return whether words begin and end with a term's letters as they must."""
    if term.starts and not _is_edge(form, first - 1, first):
        return False
    return not term.ends or _is_edge(form, end, end - 1)


def _is_edge(form: FoldedText, outer: int, inner: int) -> bool:
    """Return whether a word ends between two neighbouring letters."""
    if not 0 <= outer < len(form.keys) or form.gaps[max(outer, inner)] != NO_GAP:
        return True
    if is_unspaced(form.scripts[outer]) or is_unspaced(form.scripts[inner]):
        return True
    outer_kind, inner_kind = form.kinds[outer], form.kinds[inner]
    if outer_kind & SYMBOL:
        # Punctuation, unless a letter follows it.
        beyond = outer + (1 if outer > inner else -1)
        return not 0 <= beyond < len(form.keys) or form.gaps[max(beyond, outer)] != NO_GAP
    return bool(outer_kind & DIGIT) and not inner_kind & (DIGIT | SYMBOL)


def _are_gaps_meant(term: _Term, form: FoldedText, letters: Sequence[int], end: int) -> bool:
    """Return whether the gaps between letters leave the words readable."""
    start = 0
    for stop in (*sorted(term.breaks), term.length):
        if start and form.gaps[letters[start]] == NO_GAP:
            return False
        gaps = [form.gaps[letters[at]] if letters[at] != letters[at - 1] else NO_GAP for at in range(start + 1, stop)]
        if any(gaps):
            after = end if stop == term.length else letters[stop]
            if not _is_spaced_word(term, form, letters[start], after, gaps):
                return False
        start = stop
    return True


def _is_spaced_word(term: _Term, form: FoldedText, first: int, end: int, gaps: Sequence[int]) -> bool:
    """Return whether a word is typed like "b a d" or "b.a.d"."""
    if any(is_unspaced(script) for script in form.scripts[first:end]):
        return True
    if end - first < _SPACED_FROM:
        return False
    widest = max(gaps)
    if widest > JOINT:
        if min(gaps) == NO_GAP:
            return False
        if form.gaps[end : end + 1] == [NO_GAP] or form.gaps[first] == NO_GAP:
            return False
    else:
        pieces = "".join("|" if gap else "." for gap in gaps).split("|")
        singles = sum(not piece for piece in pieces)
        if 2 * singles < len(pieces):
            return False
    if term.breaks:
        return True
    if term.starts and _goes_on_before(form, first, widest):
        return False
    return not (term.ends and _goes_on_after(form, end, widest))


def _goes_on_before(form: FoldedText, first: int, gap: int) -> bool:
    """Return whether a row of single letters begins earlier."""
    if first == 0 or form.gaps[first] > gap or not _is_single(form, first - 1):
        return False
    if form.raw[first - 1] not in _TRIMMED:
        return True
    # A word of one letter may stand there, but not the end of a longer row.
    return first > 1 and form.gaps[first - 1] <= gap and _is_single(form, first - 2)


def _goes_on_after(form: FoldedText, end: int, gap: int) -> bool:
    if end == len(form.keys) or form.gaps[end] > gap or not _is_single(form, end):
        return False
    if form.raw[end] not in _TRIMMED:
        return True
    return end + 1 < len(form.keys) and form.gaps[end + 1] <= gap and _is_single(form, end + 1)


def _is_single(form: FoldedText, at: int) -> bool:
    """Return whether a letter stands alone."""
    return form.gaps[at] != NO_GAP and (at + 1 == len(form.keys) or form.gaps[at + 1] != NO_GAP)


def _are_letters_meant(term: _Term, form: FoldedText, letters: Sequence[int], end: int) -> bool:
    """Return whether each letter is the term's, or a disguise of it."""
    digits = symbols = accents = 0
    foreign: list[int] = []
    for wanted, at in zip(term.raw, letters, strict=True):
        raw, kind = form.raw[at], form.kinds[at]
        if raw == wanted:
            continue
        if kind & (DIGIT | SYMBOL):
            if not wanted.isalpha():
                return False
            digits += bool(kind & DIGIT)
            symbols += bool(kind & SYMBOL)
        elif not _is_same_letter(wanted, form, at):
            return False
        elif kind & MARKED:
            pass
        elif kind & ACCENTED:
            accents += 1
        elif form.scripts[at] != _script_of(wanted):
            foreign.append(at)
    if accents and (term.length <= _SHORT or form.word(letters[0], end) in harmless_words()):
        return False
    if (digits or symbols) and not _is_leet(term, digits, symbols, {form.raw[at] for at in letters}):
        return False
    return not foreign or _is_disguised(form, letters, foreign)


def _is_leet(term: _Term, digits: int, symbols: int, used: set[str]) -> bool:
    """Return whether digits and symbols stand for letters."""
    letters = term.length - digits - symbols
    if not letters:
        return not digits and len(used) > 1
    return letters >= digits or term.length > _SHORT + 1


def _is_same_letter(wanted: str, form: FoldedText, at: int) -> bool:
    """Return whether a letter of the same key is meant as the wanted one."""
    kind, raw = form.kinds[at], form.raw[at]
    if not wanted.isalpha():
        return False
    if not wanted.isascii() and _script_of(wanted) == "LATIN":
        return False  # a rule with an accent is about the letter with it
    if kind & (MARKED | ACCENTED | FOREIGN):
        base = raw if raw.isascii() else None
        if base is not None and base != wanted and {base, wanted} != {"i", "l"}:
            return form.scripts[at] != _script_of(wanted)
        return not (kind & MARKED and base is not None and base != wanted)
    if {raw, wanted} == {"i", "l"}:
        return _is_odd_capital(form, at)
    return _script_of(wanted) != form.scripts[at]


def _is_odd_capital(form: FoldedText, at: int) -> bool:
    """Return whether a capital stands among small letters, or the reverse.

    I and l look alike.
    """
    is_upper = form.kinds[at] & UPPER
    first, last = at, at
    while first > 0 and form.gaps[first] == NO_GAP and _is_alike(form, first - 1, at):
        first -= 1
    while last + 1 < len(form.keys) and form.gaps[last + 1] == NO_GAP and _is_alike(form, last + 1, at):
        last += 1
    near = [first - 1] if first > 0 and form.gaps[first] == NO_GAP else []
    near += [last + 1] if last + 1 < len(form.keys) and form.gaps[last + 1] == NO_GAP else []
    return bool(near) and all(form.kinds[each] & UPPER != is_upper for each in near)


def _is_alike(form: FoldedText, one: int, other: int) -> bool:
    return form.raw[one] == form.raw[other] and form.kinds[one] == form.kinds[other]


def _is_disguised(form: FoldedText, letters: Sequence[int], foreign: Sequence[int]) -> bool:
    """Return whether letters of another script stand in for look-alikes.

    They do in a word of several scripts, and in a text that has no other letters of their script.
    """
    if len(foreign) < len(set(letters)):
        return True
    return all(form.scripts[at] not in form.genuine for at in foreign)


def _script_of(letter: str) -> str:
    if letter.isascii():
        return "LATIN" if letter.isalpha() else ""
    return fold(letter).scripts[0]


def matches_of(sets: Iterable[RuleSet], text: str, searched: PromptField) -> list[Match]:
    """Return the matches of several sets in a field, in the order of the sets."""
    prepared = PreparedText(text)
    return [match for rules in sets for match in rules.find(prepared, searched)]
