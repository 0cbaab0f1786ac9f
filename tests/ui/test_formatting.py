"""Escaping of typed text, and numbers in words."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.ui.render.formatting import (
    about,
    ago,
    alternative,
    counted,
    escaped,
    in_credits,
    listed,
    one_line,
    ordinal,
    seconds,
    usually,
)
from bot.ui.truncation import cut
from tests.ui.view_reader import active, plain, unescaped, utf16

# Everything that Discord can send: any code point but lone surrogates.
TYPED = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
HOSTILE = st.lists(
    st.sampled_from(
        [
            "@everyone",
            "@here",
            "<@123>",
            "<@&123>",
            "<#123>",
            "</imagine:1>",
            "<t:0:R>",
            "<:fox:123>",
            "[x](javascript:alert(1))",
            "```py\n",
            "`",
            "||",
            "~~",
            "***",
            "__",
            "# heading",
            "-# small",
            "> quote",
            ">>> ",
            "1. list",
            "- list",
            "https://example.org/a?b=c",
            "\\",
            "\\\\",
            "\u202e",
            "\u2069",
            "👩‍👩‍👧‍👦",
            "e\u0301",
            "🇩🇪",
            "שלום",
            "\n",
            " ",
            "fox",
        ]
    ),
    max_size=60,
).map("".join)
MENTION = re.compile(r"@everyone|@here|<@[!&]?[0-9]|<#[0-9]|</|<t:|<a?:|://")
SIGNS = st.lists(st.sampled_from(["👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "e\u0301\u0302", "a", " ", "❤️", "1️⃣"]), max_size=120).map(
    "".join
)


@given(st.one_of(TYPED, HOSTILE))
@example("@everyone and <@123>")
@example("[x](javascript:alert(1))")
@example("```\nrm -rf\n```")
@example("# heading")
@example("1. list")
@example("https://example.org")
@example("\\*already escaped\\*")
@example("\u2069\u202etxt.exe")
def test_escaped_text_reads_as_typed(typed: str) -> None:
    """One line, no formatting, no link, no mention."""
    shown = escaped(typed)
    assert shown.startswith("\u2068")
    assert shown.endswith("\u2069")
    inner = shown[1:-1]
    assert unescaped(inner) == plain(typed)
    assert active(inner) == []
    assert "\n" not in shown
    assert re.search("[\u202a-\u202e\u2066-\u2069]", inner) is None
    assert MENTION.search(inner) is None


@pytest.mark.parametrize("typed", ["1. list", "23. list", "- list", "+ list", "# heading", "-# small", "> quote"])
def test_escaped_text_starts_no_block(typed: str) -> None:
    """A list, heading or quotation stays one plain line."""
    inner = escaped(typed)[1:-1]
    assert unescaped(inner) == typed
    assert not inner.startswith(("- ", "+ ", "# ", "-# ", "> "))
    assert not inner.split(" ")[0].rstrip(".").isdigit()


@given(st.one_of(TYPED, HOSTILE, SIGNS), st.integers(min_value=1, max_value=200))
def test_cut_text_is_short_prefix(text: str, limit: int) -> None:
    """At most `limit` code points, an ellipsis at the end."""
    shown = cut(text, limit)
    assert len(shown) <= limit
    if len(text) <= limit:
        assert shown == text
    else:
        assert shown.endswith("…")
        assert text.startswith(shown[:-1])


@pytest.mark.parametrize("sign", ["👩‍👩‍👧‍👦", "👍🏽", "e\u0301\u0302", "❤️", "1️⃣", "🏴\U000e0067\U000e0062\U000e007f"])
def test_cut_keeps_grapheme_whole(sign: str) -> None:
    """Emoji of several code points, and letters with marks."""
    text = sign * 40
    for limit in range(len(sign) + 1, 3 * len(sign) + 2):
        kept = cut(text, limit)[:-1]
        assert len(kept) % len(sign) == 0
        assert text.startswith(kept)


def test_cut_prefers_space_near_end() -> None:
    assert cut("a red panda astronaut", 16) == "a red panda…"
    assert cut("incomprehensibilities", 10) == "incompreh…"


@pytest.mark.parametrize("typed", ["a red door, a blue wall", "a red door; a blue wall", "a red door - a blue wall"])
def test_cut_drops_punctuation_before_ellipsis(typed: str) -> None:
    assert cut(typed, 13) == "a red door…"
    assert cut("." * 20, 10) == "." * 9 + "…"


def test_cut_of_marks_without_letter_is_short() -> None:
    assert len(cut("\u0301" * 500, 100)) == 100


@given(
    st.one_of(TYPED.map(lambda text: text * 8), HOSTILE.map(lambda text: text * 6), SIGNS.map(lambda text: text * 9))
)
@example("🦊" * 4000)
@example("🦊" * 513)
@example("🦊" * 512)
@example("a" * 1023 + "🦊")
@example("🦊 " * 1000)
def test_alternative_text_is_short_prefix(text: str) -> None:
    """At most 1,024 UTF-16 units."""
    shown = alternative(text)
    assert utf16(shown) <= 1024
    if shown != one_line(text):
        assert one_line(text).startswith(shown.rstrip("…"))
        assert utf16(shown) > 600


@pytest.mark.parametrize("limit", range(2, 12))
def test_alternative_text_terminates_for_small_limits(limit: int) -> None:
    """The search for the fitting length ends."""
    assert utf16(alternative("🦊" * 20, limit)) <= limit


def test_ordinals_are_english() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)
    said = "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th"
    assert " ".join(map(ordinal, numbers)) == said


def test_counts_have_plural_and_separators() -> None:
    assert [counted(number, "picture") for number in (0, 1, 2)] == ["0 pictures", "1 picture", "2 pictures"]
    assert [in_credits(number) for number in (1, 24, 1_000)] == ["1 credit", "24 credits", "1,000 credits"]


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (0, "1\u00a0s"),
        (0.4, "1\u00a0s"),
        (31.2, "31\u00a0s"),
        (60, "1\u00a0min"),
        (125, "2\u00a0min\u00a05\u00a0s"),
    ],
)
def test_durations_are_readable(duration: float, said: str) -> None:
    """Whole seconds, at least one; minutes from one minute on.

    No line break inside.
    """
    assert seconds(duration) == said


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (None, None),
        ((25, 40), "usually 25-40 s"),
        ((25, 25), "usually 25\u00a0s"),
        ((0, 0), "usually 1\u00a0s"),
        ((0, 3), "usually 1-3 s"),
        ((90, 119), "usually 90-119 s"),
        ((45, 200), "usually 1-4 min"),
        ((130, 230), "usually 2-4 min"),
        ((60, 120), "usually 1-2 min"),
        ((180, 181), "usually 3-4 min"),
        ((121, 120), "usually 2\u00a0min\u00a01\u00a0s"),
    ],
)
def test_usual_wait_is_readable(measured: tuple[int, int] | None, said: str | None) -> None:
    """A span in a natural unit; empty before enough is measured."""
    assert usually(measured) == said


def test_names_are_listed_as_in_sentence() -> None:
    assert [listed(("a",)), listed(("a", "b")), listed(("a", "b", "c"))] == ["a", "a or b", "a, b or c"]


def test_moment_is_discord_timestamp() -> None:
    """Discord's own timestamp mark."""
    assert ago(datetime(2026, 3, 4, 12, 0, tzinfo=UTC)) == "<t:1772625600:R>"


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (0, "about 5\u00a0s"),
        (41, "about 45\u00a0s"),
        (60, "about 1\u00a0min"),
        (61, "about 2\u00a0min"),
        (5399, "about 90\u00a0min"),
        (5400, "about 2\u00a0h"),
    ],
)
def test_forecast_is_rounded_up(duration: int, said: str) -> None:
    assert about(duration) == said
