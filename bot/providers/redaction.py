"""Redaction of prompts and keys in a provider's words.

Providers quote requests word for word, in other case or spacing, escaped for JSON, HTML or a URL, and often
only in part. So both sides are compared folded, the words are read in each of those spellings, and every
piece of at least `SHORTEST_PIECE` characters counts.
"""

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# Longer words are cut before they are searched: a body may have megabytes, and what is logged is far shorter.
MAX_WORDS: Final = 4_000
SHORTEST_PIECE: Final = 16
HIDDEN: Final = "[hidden]"

# What begins just before the cut is still recognised: room for a piece in which every character is escaped twice.
_MARGIN: Final = 16 * SHORTEST_PIECE
# A shorter text inside a longer word is no quotation: a prompt of "a" would blot out every a.
_SURELY_QUOTED: Final = 8
_ESCAPES_IN_ESCAPES: Final = 2
# Words full of escapes have a dozen spellings, and some characters are whole sentences once they are taken apart.
_MOST_READINGS: Final = 6
_LONGEST_READING: Final = MAX_WORDS + _MARGIN
_LONGEST_APART: Final = 4

# JSON's escapes, and Python's besides.
_BACKSLASH: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}"
    r"|\\x[0-9a-fA-F]{2}|\\U[0-9a-fA-F]{8}|\\.",
    re.DOTALL,
)
_HTML: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_PERCENT: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+|\+")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A spelling of the words, with each character's place in the words."""

    text: str
    starts: list[int]
    ends: list[int]

    def decoded(self, pattern: re.Pattern[str], decode: Callable[[str], str]) -> "_Reading":
        """Return the reading with each match of `pattern` decoded."""
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for match in pattern.finditer(self.text):
            begin, end = match.span()
            character = decode(match[0])
            parts += (self.text[at:begin], character)
            starts += (*self.starts[at:begin], *[self.starts[begin]] * len(character))
            ends += (*self.ends[at:begin], *[self.ends[end - 1]] * len(character))
            at = end
        if not parts:
            return self
        return _Reading("".join((*parts, self.text[at:])), starts + self.starts[at:], ends + self.ends[at:])

    def folded(self, most: int | None = None) -> "_Reading":
        """Return the reading without case, composition and kinds of space.

        It is cut to `most` characters.
        """
        characters: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        for at, character in enumerate(self.text):
            if most is not None and len(characters) >= most:
                break
            for folded in _folded(character):
                if folded == " " and characters and characters[-1] == " ":
                    ends[-1] = self.ends[at]
                    continue
                characters.append(folded)
                starts.append(self.starts[at])
                ends.append(self.ends[at])
        return _Reading("".join(characters[:most]), starts[:most], ends[:most])

    @property
    def reach(self) -> int:
        """The place in the words up to which a cut reading finds every piece."""
        at = _LONGEST_READING - SHORTEST_PIECE
        return self.starts[at] if at < len(self.starts) else MAX_WORDS


def without(words: str, hide: Iterable[str]) -> str:
    """Return the words with every quotation of the texts in `hide` removed.

    The words are cut to `MAX_WORDS`, or sooner if folding makes them longer: unsearched words are not returned.
    """
    searched = words[: MAX_WORDS + _MARGIN]
    readings = _readings(searched)
    quoted = [False] * len(searched)
    for text in hide:
        wanted = " ".join(_reading(text).folded().text.split())
        if wanted:
            for begin, end in _quotations(readings, wanted):
                quoted[begin:end] = [True] * (end - begin)
    return _blotted(words[: min(MAX_WORDS, *(reading.reach for reading in readings))], quoted)


def _readings(words: str) -> list[_Reading]:
    """Return the words as they stand and in the spellings that differ, folded.

    Where those are too many the shortest are taken: the right spelling takes the most escapes away.
    """
    latest = [_reading(words)]
    chosen = {words: latest[0]}
    for _ in range(_ESCAPES_IN_ESCAPES):
        decoded = (reading.decoded(pattern, decode) for reading in latest for pattern, decode in _SPELLINGS)
        new = {each.text: each for each in decoded if each.text not in chosen}
        latest = sorted(new.values(), key=lambda each: len(each.text))[: _MOST_READINGS - len(chosen)]
        chosen |= {each.text: each for each in latest}
    return [reading.folded(_LONGEST_READING) for reading in chosen.values()]


def _reading(text: str) -> _Reading:
    return _Reading(text, list(range(len(text))), list(range(1, len(text) + 1)))


def _quotations(readings: Iterable[_Reading], wanted: str) -> Iterator[tuple[int, int]]:
    """Yield the places of pieces of `wanted` in the words.

    Overlapping pieces come one by one.
    """
    size = min(SHORTEST_PIECE, len(wanted))
    pieces = {wanted[at : at + size] for at in range(len(wanted) - size + 1)}
    for reading in readings:
        text = reading.text
        for at in range(len(text) - size + 1):
            if text[at : at + size] in pieces and (size >= _SURELY_QUOTED or _stands_alone(text, at, at + size)):
                yield reading.starts[at], reading.ends[at + size - 1]


def _stands_alone(text: str, begin: int, end: int) -> bool:
    """Return True if a piece is not part of a longer word.

    This holds for scripts with spaces between words.
    """
    before = text[begin - 1 : begin + 1] if begin else ""
    after = text[end - 1 : end + 1]
    return not any(len(pair) > 1 and pair.isascii() and pair.isalnum() for pair in (before, after))


def _blotted(words: str, quoted: list[bool]) -> str:
    parts: list[str] = []
    for at, character in enumerate(words):
        if not quoted[at]:
            parts.append(character)
        elif at == 0 or not quoted[at - 1]:
            parts.append(HIDDEN)
    return "".join(parts)


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    """Return a character without its case and its kind.

    Unprintable characters become a space.
    """
    if character.isspace() or not character.isprintable():
        return " "
    apart = unicodedata.normalize("NFKD", character.upper())
    return apart.casefold() if len(apart) <= _LONGEST_APART else character.casefold()


def _from_backslash(escape: str) -> str:
    kind, digits = escape[1], escape[2:]
    try:
        return chr(int(digits, 16)) if kind in "xU" else str(json.loads(f'"{escape}"'))
    except (ValueError, OverflowError):
        return escape[1:]  # nobody has such an escape: the character itself is meant


def _from_percent(escape: str) -> str:
    if escape == "+":
        return " "
    return bytes.fromhex(escape.replace("%", "")).decode(errors="replace")


_SPELLINGS: Final = ((_BACKSLASH, _from_backslash), (_HTML, html.unescape), (_PERCENT, _from_percent))
