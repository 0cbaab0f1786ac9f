"""Loggable codes and words: nothing of a prompt, key or address passes."""

import html
import json
import re
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import FaultKind
from bot.providers.error_details import Reason, failure_kind
from bot.providers.redaction import (
    MAX_WORDS,
    VOCABULARY,
    is_code,
    known_code,
    loggable_code,
    loggable_words,
    without_words,
)

PROMPT = 'Élodie & "Bob" <b>kiss</b>\n\tunder a\u00a0neon sign: "balance 100%" 🦊 said the fox\\wolf + friends'
CONTENT_WORDS = ("nsfw", "content", "policy", "violation", "safety", "moderation", "prohibited", "sfw", "fox", "ﬁlter")

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


def long_words(text: str) -> set[str]:
    """Return the words of three or more letters."""
    return set(re.findall(r"[^\W\d_]{3,}", text.casefold()))


prompts = st.one_of(
    st.text(max_size=120),
    st.lists(st.sampled_from(sorted(VOCABULARY)) | st.text(max_size=4), max_size=12).map(" ".join),
    st.lists(st.sampled_from(sorted(VOCABULARY)) | st.characters(), max_size=12).map("".join),
)


@given(
    prompt=prompts,
    spelling=st.sampled_from(sorted(SPELLINGS)),
    begin=st.integers(0, 60),
    length=st.integers(1, 200),
    around=st.tuples(st.text(max_size=20), st.text(max_size=20)),
)
def test_detail_contains_no_word_of_any_quoted_prompt(
    prompt: str, spelling: str, begin: int, length: int, around: tuple[str, str]
) -> None:
    """Cut before and after it is spelled, also in the place of a code."""
    quoted = SPELLINGS[spelling](prompt[begin:])[:length]
    text = f"{around[0]} {quoted} {around[1]} invalid request: {SPELLINGS[spelling](prompt)}"

    for detail in (
        loggable_words(text, [prompt]),
        loggable_code(quoted, [prompt]),
        known_code(quoted, [prompt]),
        Reason(text, (quoted,)).detail([prompt]),
    ):
        assert not long_words(prompt) & long_words(detail)


@given(prompt=st.text(max_size=60), text=st.text(max_size=300))
def test_detail_contains_vocabulary_only(prompt: str, text: str) -> None:
    assert set(loggable_words(text, [prompt]).split()) <= VOCABULARY | {"…"}


@given(
    words=st.lists(st.sampled_from(CONTENT_WORDS), min_size=1, max_size=8),
    separator=st.sampled_from([" ", "\n", "_", "-", " é", ", "]),
    spelling=st.sampled_from(sorted(SPELLINGS)),
    begin=st.integers(0, 20),
    length=st.integers(1, 200),
)
def test_classification_ignores_any_quoted_prompt(
    words: list[str], separator: str, spelling: str, begin: int, length: int
) -> None:
    prompt = separator.join(words)
    quoted = SPELLINGS[spelling](prompt[begin:])[:length]  # a quotation never begins amid an escape

    assert failure_kind(without_words(f"upstream error: {quoted}", [prompt])) is FaultKind.GENERATION


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_quoted_prompt_is_dropped_and_reason_stays(spelling: Callable[[str], str]) -> None:
    words = loggable_words(f"bad request: {spelling(PROMPT)} was refused", [PROMPT])

    # One spelling has a field "prompt".
    assert words.replace("request prompt …", "request …") == "bad request … refused"


@pytest.mark.parametrize("prompt", ["fox", "a", "a red fox", "猫"])
def test_short_prompt_is_dropped(prompt: str) -> None:
    """Also if it is shorter than a word."""
    assert loggable_words(f'"{prompt}": missing size', [prompt]) == "… missing size"
    assert loggable_words(f"{prompt.upper()}?", [prompt]) == "…"


def test_prompt_of_vocabulary_words_is_dropped() -> None:
    assert loggable_words("unknown model: invalid key", ["An invalid KEY"]) == "unknown model …"
    assert loggable_words("no size for key", ["monkey"]) == "… size …"


@pytest.mark.parametrize(
    "secret",
    [
        "https://cdn.example/a.png?sig=0123456789abcdef",
        "https:\\/\\/cdn.example\\/a",
        "Bearer abc.def",
        "sk-1234567890",
        "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0",
        "203.0.113.9",
        "alice@mail.example",
    ],
)
def test_unknown_secret_is_dropped(secret: str) -> None:
    """Nobody needs to say that it is one."""
    assert loggable_words(f"cannot fetch {secret}", []) == "cannot fetch …"


def test_detail_has_few_words_of_long_text() -> None:
    assert loggable_words("invalid " * 1_000_000, []) == "invalid " * MAX_WORDS + "…"
    assert loggable_words("x" * 8_000_000, []) == "…"
    assert loggable_words("", []) == ""


@pytest.mark.parametrize("code", ["invalid_request_error", "E4", "IMAGE_SAFETY", "rate.limit-1"])
def test_code_is_shown(code: str) -> None:
    assert loggable_code(code, [PROMPT]) == code


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("fox", "…"),
        ("fox_error", "… error"),
        ("BOB", "…"),
        ("sk-contract-0123", "…"),
        ("invalid request", "invalid request"),
        ("4711", "…"),
        ("x" * 41, "…"),
    ],
)
def test_code_with_hidden_part_is_words(code: str, shown: str) -> None:
    """Likewise a text that is no identifier."""
    assert loggable_code(code, [PROMPT, "sk-contract-0123456789"]) == shown


@pytest.mark.parametrize("value", ["", "4711", "two words", "ü", "a\n", "x" * 41, 402, None, ["a"]])
def test_other_value_is_no_code(value: object) -> None:
    assert not is_code(value)


def test_classified_text_keeps_other_words() -> None:
    text = "Blocked by our Content-Policy: red fox"

    assert without_words(text, ["a red fox by night"]) == "blocked by our content-policy: red fox"
    assert without_words(text, ["policy"]) == "blocked by our content-…: red fox"


@pytest.mark.parametrize("code", ["invalid_request_error", "IMAGE_SAFETY", "InvalidParameter.Size", "rate-limit"])
def test_code_of_known_words_is_shown_above_debug(code: str) -> None:
    assert known_code(code, ["a fox"]) == code


@pytest.mark.parametrize(
    ("code", "prompt"),
    [
        ("redfox", "red fox"),
        ("iron_man", "x"),
        ("E4", "x"),
        ("bad_model", "bad"),
        ("InvalidSize", "INVALID"),
        ("a b", "x"),
    ],
)
def test_code_with_other_word_is_not_shown_above_debug(code: str, prompt: str) -> None:
    """Nor one with a word of the prompt, however the provider joins words."""
    assert known_code(code, [prompt]) == ""
