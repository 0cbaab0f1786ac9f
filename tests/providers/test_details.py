"""Reasons are found in answers of every shape, sorted, and made safe for a log."""

import pytest

from bot.domain.errors import FaultKind
from bot.providers.details import clean_detail, failure_kind, words_of


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "no luck"}, "no luck"),
        ({"error": {"message": "no luck", "type": "t", "code": "c"}}, "no luck"),
        ({"error": {"code": "c"}}, "c"),
        ({"message": "success", "detail": "no luck"}, "no luck"),
        ({"detail": [{"message": "no luck"}]}, "no luck"),
        ({"error": {"error": {"error": {"error": "too deep"}}}}, ""),
        ({"error": 5}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_first_reason_is_found(answer: object, words: str) -> None:
    """`error` may be a string or an object, and "success" is no reason."""
    assert words_of(answer) == words


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Insufficient balance", FaultKind.ACCOUNT_EMPTY),
        ("not enough credits", FaultKind.ACCOUNT_EMPTY),
        ("PARTNER_API_BUDGET_EXHAUSTED", FaultKind.ACCOUNT_EMPTY),
        ("blocked by safety filters", FaultKind.CONTENT),
        ("IMAGE_SAFETY", FaultKind.CONTENT),
        ("content_violation", FaultKind.CONTENT),
        ("flagged by moderation", FaultKind.CONTENT),
        ("unknown field safety_tolerance", FaultKind.GENERATION),
        ("upstream timeout", FaultKind.GENERATION),
        ("", FaultKind.GENERATION),
    ],
)
def test_a_failure_is_sorted_by_its_words(words: str, kind: FaultKind) -> None:
    """Content, an empty account, or simply a failed generation."""
    assert failure_kind(words) is kind


def test_a_detail_is_one_short_line_without_secrets() -> None:
    """Addresses and credentials are blotted out before the words are cut."""
    detail = clean_detail("see https://a.example/x?y=1\nBearer abc.def and sk-1234\x00 " + "long " * 100)

    assert detail.startswith("see [address] [hidden] and [hidden] long")
    assert len(detail) == 300
    assert detail.endswith("…")
