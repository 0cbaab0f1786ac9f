"""Failure reasons: found in any form, classified, safe for a log."""

from collections.abc import Iterator

import pytest

from bot.domain.errors import FaultKind
from bot.providers.error_details import clean_detail, failure_kind, words_of


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
def test_first_reason_is_found(answer: object, words: str) -> None:
    """`error` may be a string or an object; "success" is no reason."""
    assert words_of(answer) == words


class CountingList(list[object]):
    """A list with a count of inspected items over all lists."""

    items = 0

    def __iter__(self) -> Iterator[object]:
        """Count and continue."""
        for item in super().__iter__():
            CountingList.items += 1
            yield item


@pytest.mark.parametrize("deep", [1, 2, 3])
def test_long_lists_are_not_searched(monkeypatch: pytest.MonkeyPatch, deep: int) -> None:
    """A reason is among the first few items, nested lists too."""
    monkeypatch.setattr(CountingList, "items", 0)
    answer: object = 0
    for _ in range(deep):
        answer = CountingList([answer] * 100)

    assert words_of({"error": answer}) == ""
    assert words_of([*[0] * 19, "no luck"]) == "no luck"
    assert words_of([*[0] * 20, "no luck"]) == ""
    assert 0 < CountingList.items <= 20 + 20 * 20


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
def test_failure_is_classified_by_words(words: str, kind: FaultKind) -> None:
    """Content, empty account, or plain failure."""
    assert failure_kind(words) is kind


def test_detail_is_short_line_without_secrets() -> None:
    """Addresses and credentials go before the cut."""
    detail = clean_detail("see https://a.example/x?y=1\nBearer abc.def and sk-1234\x00 " + "long " * 100)

    assert detail.startswith("see [address] [hidden] and [hidden] long")
    assert len(detail) == 300
    assert detail.endswith("…")
