"""Folding of text for matching, with the way back to the typed text.

Letters that look alike get one key. Each keeps how it was typed, so that the matcher can judge the disguise.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple

PLAIN: Final = 0
DIGIT: Final = 1
"""A digit, perhaps in place of a letter."""
SYMBOL: Final = 2
"""Such as @ in place of a."""
FOREIGN: Final = 4
"""A letter of another script with a Latin look-alike."""
ACCENTED: Final = 8
"""A letter of some alphabet, such as ü."""
MARKED: Final = 16
"""A letter with combining marks, or in an unusual style."""
UPPER: Final = 32

NO_GAP: Final = 0
JOINT: Final = 1
"""Punctuation between two letters."""
SPACE: Final = 2
WIDE_SPACE: Final = 3
"""Several spaces, or the end of a line."""

LEET: Final = {
    "0": "o",
    "1": "il",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "il",
    "|": "il",
    "€": "e",
}
_PLAIN_SPACES: Final = str.maketrans("\n\r\t\f\v", "     ")
_SYMBOLS: Final = frozenset("@$!|€")
_KEYS: Final = {"i": "l", "l": "l"} | {leet: "l" if letters == "il" else letters for leet, letters in LEET.items()}
# Marks that only decorate a letter. In other scripts, such as Devanagari, marks are letters.
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f"
    "\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]"
)
# Letters of Latin alphabets in use. Other ones with marks are taken for decoration.
_ALPHABETS: Final = frozenset(
    "àáâãäåāăąæçćčďđèéêëēėęěğģìíîïīįıķĺļľłñńņňòóôõöøōőœŕřśšşșťţțùúûüūůűųýÿźżžþðß"
    "ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịĩọỏốồổỗộơớờởỡợụủũưứừửữựỳỵỷỹ"
)
_BLANKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u2800\u3164\uffa0")
_SHAPES: Final = re.compile(r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z])(?: WITH .+)?|LATIN LETTER SMALL CAPITAL ([A-Z])")
_DOTLESS: Final = {"ı": "i", "ȷ": "j", "æ": "æ", "œ": "œ"}
# The same letter to readers of Russian.
_SAME: Final = {"ё": "е"}
_UNSPACED: Final = frozenset(
    {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR", "IDEOGRAPHIC", "BOPOMOFO"}
)
"""Scripts without spaces between words, as characters' names begin."""
_NO_LOOK_ALIKES: Final = _UNSPACED | {"HANGUL"}
# Latin letters with look-alikes in Russian or Greek; the others show that a text is in Latin script.
_SHARED_LETTERS: Final = frozenset("aceopxykmtbhiuv")
_FLAGS: Final = (0x1F1E6, 0x1F1FF)
_BADGES: Final = ((0x1F150, 0x1F169), (0x1F170, 0x1F189))


class Part(NamedTuple):
    """A folded character: key, typed letter in lower case, kind, script."""

    key: str
    raw: str
    kind: int
    script: str


class _Folded(NamedTuple):
    """A character of a text: its parts, else a gap or a mark."""

    parts: tuple[Part, ...]
    gap: int = NO_GAP
    mark: str = ""


_IGNORED: Final = _Folded(())


@dataclass(slots=True)
class FoldedText:
    """A text's letters and digits, without anything between them.

    `gaps[n]` is what stands before letter n; `starts` and `ends` are the letters' places in `text`. `genuine` are the
    scripts with a letter that no other script has.
    """

    text: str
    keys: str = ""
    raw: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    genuine: set[str] = field(default_factory=set)
    has_symbols: bool = False

    def typed(self, first: int, end: int) -> str:
        """Return the typed text of letters."""
        return self.text[self.starts[first] : self.ends[end - 1]]

    def word(self, first: int, end: int) -> str:
        """Return the letters of the whole words around letters, in lower case."""
        while first > 0 and self.gaps[first] == NO_GAP:
            first -= 1
        while end < len(self.keys) and self.gaps[end] == NO_GAP:
            end += 1
        return "".join(self.raw[first:end])


def fold(text: str, *, symbols: bool = True) -> FoldedText:
    """Return the folded form of a text.

    Without `symbols`, those are punctuation and no letters.
    """
    folded = FoldedText(text)
    keys: list[str] = []
    gap = WIDE_SPACE
    for at, character in enumerate(text):
        parts, own_gap, mark = _fold_character(character)
        if mark:
            if keys and gap == NO_GAP:
                _add_mark(folded, mark, at)
            continue
        if parts and parts[0].kind & SYMBOL:
            folded.has_symbols = True
            if not symbols:
                parts, own_gap = (), JOINT
        if own_gap:
            gap = _wider(gap, own_gap)
            continue
        for key, raw, kind, script in parts:
            keys.append(key)
            folded.raw.append(raw)
            folded.kinds.append(kind)
            folded.gaps.append(gap)
            folded.scripts.append(script)
            folded.starts.append(at)
            folded.ends.append(at + 1)
            if not kind & (DIGIT | SYMBOL | FOREIGN) and (script != "LATIN" or raw not in _SHARED_LETTERS):
                folded.genuine.add(script)
            gap = NO_GAP
    folded.keys = "".join(keys)
    return folded


def light(text: str) -> tuple[str, list[int]]:
    """Return a text for patterns, and the place of each of its characters.

    It is in lower case, without invisible characters. Look-alikes of another script are replaced within Latin words.
    """
    if text.isascii():
        return text.lower().translate(_PLAIN_SPACES), list(range(len(text)))
    folded = fold(text)
    kept: list[str] = []
    places: list[int] = []
    latin = _latin_words(folded)
    letter = 0
    for at, character in enumerate(text):
        parts, gap, mark = _fold_character(character)
        if mark:
            continue
        for part in parts:
            # One that a mark has changed is taken as the mark left it.
            raw = folded.raw[letter]
            kept.append(part.key if part.kind & FOREIGN and latin[letter] else raw)
            places.append(at)
            letter += 1
        if gap:
            kept.append(" " if gap in (SPACE, WIDE_SPACE) else character)
            places.append(at)
    return "".join(kept), places


def is_unspaced(script: str) -> bool:
    """Return whether a script has no spaces between words."""
    return script in _UNSPACED


@cache
def harmless_words() -> frozenset[str]:
    """Return harmless words with bad ones as their unaccented forms."""
    listed = resources.files(__package__).joinpath("harmless_words.txt").read_text(encoding="utf-8")
    return frozenset(
        word for line in listed.splitlines() if not line.startswith("#") for word in line.casefold().split()
    )


def _latin_words(folded: FoldedText) -> list[bool]:
    """Return for each letter whether its word has a Latin one."""
    found: list[bool] = []
    start = 0
    count = len(folded.keys)
    for end in range(1, count + 1):
        if end < count and folded.gaps[end] == NO_GAP:
            continue
        has_latin = any(
            script == "LATIN" and not kind & (DIGIT | SYMBOL)
            for script, kind in zip(folded.scripts[start:end], folded.kinds[start:end], strict=True)
        )
        found += [has_latin] * (end - start)
        start = end
    return found


def _wider(gap: int, further: int) -> int:
    if WIDE_SPACE in (gap, further) or (gap == SPACE and further == SPACE):
        return WIDE_SPACE
    return max(gap, further)


def _add_mark(folded: FoldedText, mark: str, at: int) -> None:
    composed = unicodedata.normalize("NFC", folded.raw[-1] + mark)
    if len(composed) == 1:
        folded.raw[-1] = composed
    folded.kinds[-1] |= MARKED
    folded.ends[-1] = at + 1


@lru_cache(maxsize=8192)
def _fold_character(character: str) -> _Folded:
    """Return the parts of a character."""
    if _MARKS.match(character):
        return _Folded((), mark=character)
    if character in _BLANKS:
        return _IGNORED
    category = unicodedata.category(character)
    if character in "\n\r":
        return _Folded((), WIDE_SPACE)
    if category.startswith("Z") or character.isspace():
        return _Folded((), SPACE)
    if category[0] == "C":
        return _IGNORED
    code = ord(character)
    if badge := _badge(code):
        return _Folded((Part(_KEYS.get(badge, badge), badge, MARKED, "LATIN"),))
    if character in _SYMBOLS:
        return _Folded((Part(_KEYS[character], character, SYMBOL, ""),))
    parts = tuple(part for each in _expanded(character) if (part := _part(character, each)) is not None)
    return _Folded(parts) if parts else _Folded((), JOINT)


def _expanded(character: str) -> str:
    """Return the compatible letters in lower case, without folding ß."""
    if character in "ßẞ":
        return "ß"
    if character == "İ":
        return "i"
    lower = unicodedata.normalize("NFKC", character).casefold()
    return unicodedata.normalize("NFC", _MARKS.sub("", lower) if len(lower) > 1 else lower)


def _part(typed: str, letter: str) -> Part | None:
    """Return a lower-case letter or digit as a part; None for punctuation."""
    if letter.isdecimal():
        digit = str(unicodedata.decimal(letter))
        return Part(_KEYS.get(digit, digit), digit, DIGIT, "")
    if letter.isascii() and letter.isalpha():
        kind = PLAIN if typed.isascii() or typed == "İ" else MARKED
        if typed == "İ":
            kind = ACCENTED
        return Part(_KEYS.get(letter, letter), letter, kind | (UPPER if typed.isupper() else 0), "LATIN")
    letter = _SAME.get(letter, letter)
    script = _script(letter)
    if (base := _latin_base(letter)) is not None:
        kind = ACCENTED if letter in _ALPHABETS else MARKED
        return Part(_KEYS.get(base, base), letter if kind == ACCENTED else base, kind, "LATIN")
    if script not in _NO_LOOK_ALIKES and (alike := _look_alikes().get(letter)) is not None:
        return Part(_KEYS.get(alike, alike), letter, FOREIGN, script)
    category = unicodedata.category(letter)[0]
    return Part(letter, letter, PLAIN, script) if category in "LMN" else None


def _latin_base(letter: str) -> str | None:
    """Return the plain letter of a Latin one in another form."""
    if letter in _DOTLESS:
        return _DOTLESS[letter]
    shape = _SHAPES.fullmatch(unicodedata.name(letter, ""))
    base = None if shape is None else (shape[1] or shape[2]).lower()
    if base is None:
        decomposed = unicodedata.normalize("NFD", letter)[0]
        base = decomposed if decomposed.isascii() and decomposed.isalpha() else None
    return base


@lru_cache(maxsize=8192)
def _script(letter: str) -> str:
    """Return a letter's script: the first word of its name."""
    return unicodedata.name(letter, "").partition(" ")[0]


def _badge(code: int) -> str | None:
    """Return the letter of a regional indicator or of a letter in a box."""
    if _FLAGS[0] <= code <= _FLAGS[1]:
        return chr(code - _FLAGS[0] + ord("a"))
    for first, last in _BADGES:
        if first <= code <= last:
            return chr(code - first + ord("a")) if code - first < len("abcdefghijklmnopqrstuvwxyz") else None
    return None


@cache
def _look_alikes() -> dict[str, str]:
    """Return the Latin letter of each look-alike in another script."""
    data: dict[str, str] = tomllib.loads(
        resources.files(__package__).joinpath("look_alikes.toml").read_text(encoding="utf-8")
    )
    found = {alike: letter for letter, alikes in data.items() for alike in alikes}
    # The pairs of the file compare capitals with capitals; these are common in lower case, too.
    found |= dict(zip("кмтвнѕіјӏԁԛԝһүѵ", "kmtbhsijldqwhyv", strict=True))
    found |= dict(zip("αβεικνορτυχω", "abeiknoptuxw", strict=True))
    return found
