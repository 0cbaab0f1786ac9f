"""Disguises of words, judged letter by letter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.prompt_rules import PromptRule, PromptRuleKind
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
)

_SHORT: Final = 3
"""Letters of a short word: accents count in it."""
_SPACED_FROM: Final = 3
"""Letters of a word from which on it is searched as in "b a d"."""
_STRETCHED: Final = 3
_TRIMMED: Final = frozenset("aioeyuàéèвикосуя")
"""One-letter words that may stand before a word typed letter by letter."""


@dataclass(frozen=True, slots=True)
class Term:
    """A rule's text as letters; `runs` counts the repeated ones."""

    rule: PromptRule
    raw: tuple[str, ...]
    breaks: frozenset[int]
    runs: tuple[int, ...]

    @property
    def length(self) -> int:
        """Number of letters."""
        return len(self.raw)

    @property
    def starts(self) -> bool:
        """True if a word must start with the term."""
        return self.rule.kind is not PromptRuleKind.SUBSTRING and not self.rule.open_start

    @property
    def ends(self) -> bool:
        """True if a word must end with the term."""
        return self.rule.kind is not PromptRuleKind.SUBSTRING and not self.rule.open_end


def terms_of(rule: PromptRule) -> Iterator[tuple[str, Term]]:
    """Yield the letters of a rule's spellings, each with its term."""
    texts = {rule.text, rule.text.replace("ß", "ss")}
    for text in sorted(texts):
        folded = fold(text, symbols=any(each.isdigit() or each.isalpha() for each in text))
        if not folded.keys:
            continue
        breaks = frozenset(at for at in range(1, len(folded.keys)) if folded.gaps[at] != NO_GAP)
        yield folded.keys, Term(rule, tuple(folded.raw), breaks, _runs(folded.keys))


def _runs(keys: str) -> tuple[int, ...]:
    counts: list[int] = []
    for at, key in enumerate(keys):
        if at and key == keys[at - 1]:
            counts[-1] += 1
        else:
            counts.append(1)
    return tuple(counts)


def without_repeats(keys: str) -> str:
    """Return letters with each doubled one once."""
    return "".join(key for at, key in enumerate(keys) if at == 0 or key != keys[at - 1])


def is_stretched(counts: Sequence[int], runs: Sequence[int]) -> bool:
    """Return whether letters are repeated as no usual word repeats them."""
    if any(count < run for count, run in zip(counts, runs, strict=True)):
        return False
    if all(count == run for count, run in zip(counts, runs, strict=True)):
        return False  # the other search has it
    if len(counts) >= _SPACED_FROM and all(count > 1 for count in counts):
        return True
    return all(count == run or count >= _STRETCHED for count, run in zip(counts, runs, strict=True))


def is_typed(term: Term, form: FoldedText, first: int) -> bool:
    """Return whether letters are a term in its plain spelling."""
    end = first + term.length
    if any(raw != form.raw[first + at] for at, raw in enumerate(term.raw)):
        return False
    if any((form.gaps[first + at] != NO_GAP) != (at in term.breaks) for at in range(1, term.length)):
        return False
    return _has_edges(term, form, first, end)


def is_match(term: Term, form: FoldedText, letters: Sequence[int], end: int) -> bool:
    """Return whether letters with the keys of a term stand for it."""
    if not _has_edges(term, form, letters[0], end):
        return False
    if not _are_gaps_meant(term, form, letters, end):
        return False
    return _are_letters_meant(term, form, letters, end)


def _has_edges(term: Term, form: FoldedText, first: int, end: int) -> bool:
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


def _are_gaps_meant(term: Term, form: FoldedText, letters: Sequence[int], end: int) -> bool:
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


def _is_spaced_word(term: Term, form: FoldedText, first: int, end: int, gaps: Sequence[int]) -> bool:
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


def _are_letters_meant(term: Term, form: FoldedText, letters: Sequence[int], end: int) -> bool:
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


def _is_leet(term: Term, digits: int, symbols: int, used: set[str]) -> bool:
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
