"""Failure reasons: found in any form, classified, safe for a log."""

from collections.abc import Iterator

import pytest

from bot.domain.errors import FaultKind
from bot.providers.error_details import Reason, codes_of, failure_kind, reason_of, words_of


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


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ({"error": {"message": "no luck", "type": "t", "code": "c"}}, ("c", "t")),
        ({"error": {"type": "t", "code": "t"}}, ("t",)),
        ({"error": {"code": "two words", "type": "t"}}, ("t",)),
        ({"code": 400, "detail": [{"code": "c"}]}, ("c",)),
        ({"error": {"error": {"error": {"code": "c"}}}}, ()),
        ({"error": "c"}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_codes_are_found(answer: object, codes: tuple[str, ...]) -> None:
    """Identifiers only; the text is never a code."""
    assert codes_of(answer) == codes


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ({"error": {"message": "Invalid model: a fox", "code": "bad_model"}}, "bad_model: invalid model …"),
        ({"error": {"code": "bad_model"}}, "bad_model"),
        ({"error": "rate limit exceeded"}, "rate limit exceeded"),
        ({"error": {"message": "a fox", "code": "fox"}}, "…: …"),
        ({}, ""),
    ],
)
def test_detail_is_code_and_known_words(answer: object, detail: str) -> None:
    assert reason_of(answer).detail(["a fox"]) == detail


def test_code_decides_before_text() -> None:
    """A code is no quotation, so it counts with any prompt."""
    reason = reason_of({"error": {"message": "content policy", "code": "content_policy_violation"}})

    assert failure_kind(reason.without(["a content policy"])) is FaultKind.CONTENT
    assert failure_kind(Reason(reason.text).without(["a content policy"])) is FaultKind.GENERATION
