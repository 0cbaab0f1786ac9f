"""Typed keys."""

import pytest

from bot.domain.errors import KeyFormError, KeyFormProblem
from bot.domain.guild_keys import LONGEST_KEY, SHORTEST_KEY, read_key


@pytest.mark.parametrize("typed", ["sk-proj-Aa0_-9xyz", "  sk-proj-Aa0_-9xyz\n", "id:0123456789ab", "k" * LONGEST_KEY])
def test_key_is_read_without_blanks_around_it(typed: str) -> None:
    assert read_key(typed) == typed.strip()


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("Bearer sk-0123456789ab", KeyFormProblem.PREFIX),
        ("BEARER  sk-0123456789ab", KeyFormProblem.PREFIX),
        ("Key 0123456789abcdef", KeyFormProblem.PREFIX),
        ("Authorization:sk-0123456789ab", KeyFormProblem.PREFIX),
        ("sk-01234 56789abcdef", KeyFormProblem.BLANK),
        ("sk-01234\n56789abcdef", KeyFormProblem.BLANK),
        ("sk-01234\u00a056789abcdef", KeyFormProblem.BLANK),
        ("sk-01234\u200b56789abcdef", KeyFormProblem.CHARACTER),
        ("sk-0123456789\u2026", KeyFormProblem.CHARACTER),
        ("sk-01234\x0056789abcdef", KeyFormProblem.CHARACTER),
        ("", KeyFormProblem.LENGTH),
        ("k" * (SHORTEST_KEY - 1), KeyFormProblem.LENGTH),
        ("k" * (LONGEST_KEY + 1), KeyFormProblem.LENGTH),
    ],
)
def test_impossible_key_is_refused_without_being_quoted(typed: str, problem: KeyFormProblem) -> None:
    with pytest.raises(KeyFormError) as refused:
        read_key(typed)
    assert refused.value.problem is problem
    assert not typed or typed not in f"{refused.value!r} {refused.value} {vars(refused.value)}"
