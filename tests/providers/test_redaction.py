"""A prompt that a provider quotes is found in every spelling, and what is left is still worth reading."""

import html
import json
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.providers.redaction import _LONGEST_READING, HIDDEN, MAX_WORDS, SHORTEST_PIECE, _folded, _readings, without

PROMPT = 'Élodie & "Bob" <b>kiss</b>\n\tunder a\u00a0neon sign: "balance 100%" 🦊 said the fox\\wolf + friends'

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it stands": str,
    "upper case": str.upper,
    "swapped case": str.swapcase,
    "one line": lambda text: " ".join(text.split()),
    "wrapped": lambda text: textwrap.fill(text, 30),
    "JSON": json.dumps,
    "JSON with its letters": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"prompt": text})),
    "Python": ascii,
    "HTML": html.escape,
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)),
    "numbered HTML": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "an address": quote,
    "a form": quote_plus,
}


def a_piece_survives(prompt: str, words: str) -> bool:
    """Tell whether anything of the prompt as long as a piece is left.

    Both are compared on one line, in lower case.
    """

    def on_one_line(text: str) -> str:
        return " ".join("".join(each if each.isprintable() else " " for each in text).split()).casefold()

    plain, left = on_one_line(prompt), on_one_line(words)
    return any(plain[at : at + SHORTEST_PIECE] in left for at in range(len(plain) - SHORTEST_PIECE + 1))


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_quoted_prompt_is_blotted_out(spelling: Callable[[str], str]) -> None:
    """In whatever spelling it comes back, the words around it stay and nothing of it does."""
    words = without(f"bad request: {spelling(PROMPT)} was refused", [PROMPT])

    assert words.startswith("bad request: ")
    assert words.endswith(" was refused")
    assert HIDDEN in words
    for part in ("lodie", "kiss", "neon", "alance", "fox", "riends"):
        assert part not in words.lower()


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_piece_of_a_prompt_is_blotted_out(spelling: Callable[[str], str]) -> None:
    """Cut at both ends it is found all the same, as long as the piece has sixteen characters."""
    piece = PROMPT[9:50]

    words = without(f"near {spelling(piece)}", [PROMPT])

    assert "kiss" not in words.lower()
    assert "neon" not in words.lower()


@given(
    prompt=st.text(min_size=1, max_size=120),
    spelling=st.sampled_from(sorted(SPELLINGS)),
    begin=st.integers(0, 119),
    length=st.integers(SHORTEST_PIECE, 120),
    around=st.tuples(st.text(max_size=20), st.text(max_size=20)),
)
def test_no_piece_of_any_prompt_survives(
    prompt: str, spelling: str, begin: int, length: int, around: tuple[str, str]
) -> None:
    """Whatever the prompt, the piece and the words around it, sixteen characters of it never come through."""
    piece = prompt[begin : begin + length]
    before, after = around

    words = without(f"{before} {SPELLINGS[spelling](piece)} {after}", [prompt])

    assert not a_piece_survives(prompt, words)


@given(prompt=st.text("nopqrstuvwxyz ", min_size=1), words=st.text("abcdefghijklm0123456789 .:-\n"))
def test_what_quotes_nothing_stays(prompt: str, words: str) -> None:
    """Words that share nothing with the prompt are not touched."""
    assert without(words, [prompt]) == words


@given(words=st.text(max_size=300), prompt=st.text(max_size=60))
def test_blotting_out_only_takes_away(words: str, prompt: str) -> None:
    """What is left are pieces of the words, in their order."""
    at = 0
    for piece in without(words, [prompt]).split(HIDDEN):
        at = words.index(piece, at) + len(piece) if piece in words else at
        assert piece in words


@pytest.mark.parametrize("prompt", ["cat", "a", "a red fox", "猫"])
def test_a_short_prompt_is_blotted_out_whole(prompt: str) -> None:
    """A prompt with fewer than sixteen characters is found as a whole."""
    assert without(f'"{prompt}": refused', [prompt]) == f'"{HIDDEN}": refused'
    assert without(f"{prompt.upper()}?", [prompt]) == f"{HIDDEN}?"


def test_a_very_short_prompt_is_no_part_of_a_word() -> None:
    """A prompt of one letter leaves the reason readable.

    A script without spaces has no such words.
    """
    assert without("insufficient balance", ["a"]) == "insufficient balance"
    assert without("concatenate the cat", ["cat"]) == f"concatenate the {HIDDEN}"
    assert without("不适当的猫图片", ["猫"]) == f"不适当的{HIDDEN}图片"


def test_long_words_are_cut_and_a_prompt_at_the_cut_is_found() -> None:
    """Megabytes are not searched, and a quotation that the cut splits leaves nothing behind."""
    for left in (1, SHORTEST_PIECE - 1, SHORTEST_PIECE, 40):
        words = without("x" * (MAX_WORDS - left) + PROMPT + "y" * 8_000_000, [PROMPT])

        assert words == "x" * (MAX_WORDS - left) + HIDDEN


def test_nothing_to_hide_hides_nothing() -> None:
    """Empty and blank texts are no quotations."""
    assert without("a b  c", ["", " \n"]) == "a b  c"


def test_several_texts_are_hidden() -> None:
    """The key and the prompt, each by itself."""
    assert without("sk-1234567890 drew a red fox", ["sk-1234567890", "a red fox"]) == f"{HIDDEN} drew {HIDDEN}"


EVERY_CHARACTER = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
ESCAPES = "".join(f"\\\\u00{each:02x}&amp;#{each};%25{each:02x}+\\n&lt;" for each in range(33, 127)) * 5


def test_no_character_becomes_a_sentence() -> None:
    """A ligature of eighteen letters stays what it is, and upper case is still lower case."""
    assert max(len(_folded(each)) for each in EVERY_CHARACTER) == 4
    assert _folded("\ufdfa") == "\ufdfa"
    assert [each for each in EVERY_CHARACTER if len(each.upper()) == 1 and _folded(each) != _folded(each.upper())] == []


@pytest.mark.parametrize(
    "words", ["\ufdfa", "각", "\u1f82", "a+", "&#xac01;", ESCAPES], ids=lambda words: ascii(words[:8])
)
def test_readings_are_few_and_none_is_long(words: str) -> None:
    """Whatever is repeated in the words."""
    searched = (words * _LONGEST_READING)[:_LONGEST_READING]

    readings = _readings(searched)

    assert len(readings) <= 6
    for reading in readings:
        assert len(reading.text) == len(reading.starts) == len(reading.ends) <= _LONGEST_READING


@pytest.mark.parametrize("before", ["각", "\u1f82", "é", "\ufdfa", "a"], ids=ascii)
@pytest.mark.parametrize("left", [0, 8, 15, 16, 17, 40])
def test_what_was_not_searched_is_not_returned(before: str, left: int) -> None:
    """Characters that grow when they are folded push no quotation out of sight, wherever it begins."""
    folded = len(_folded(before))
    for at in (MAX_WORDS, MAX_WORDS // folded, _LONGEST_READING // folded):
        words = without(before * (at - left) + PROMPT, [PROMPT])

        assert not a_piece_survives(PROMPT, words)
        assert len(words) > 900
