"""Failure reasons: found in any form, classified, safe for a log."""

from collections.abc import Iterator

import pytest

from bot.domain.errors import FaultKind
from bot.providers.error_details import Reason, codes_of, failure_kind, reason_of, refusal_kind, words_of


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
        ("upstream vendor error: the model did not return a result", FaultKind.GENERATION),
        ("Failed to download image_urls[0]", FaultKind.INPUT_NOT_FETCHED),
        ("upstream: model is deprecated", FaultKind.MODEL_UNAVAILABLE),
        ("", FaultKind.GENERATION),
    ],
)
def test_failure_is_classified_by_words(words: str, kind: FaultKind) -> None:
    """Content, empty account, or plain failure."""
    assert failure_kind(words) is kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Unknown model", FaultKind.MODEL_UNAVAILABLE),
        ("Invalid model.", FaultKind.MODEL_UNAVAILABLE),
        ("The model reve/text-to-image does not exist", FaultKind.MODEL_UNAVAILABLE),
        ("This model has been discontinued", FaultKind.MODEL_UNAVAILABLE),
        ("model nano-banana is no longer available", FaultKind.MODEL_UNAVAILABLE),
        ("This API was closed on 14 August", FaultKind.MODEL_UNAVAILABLE),
        ("model_not_found", FaultKind.MODEL_UNAVAILABLE),
        ("PARTNER_API_CLOSED", FaultKind.MODEL_UNAVAILABLE),
        ("Invalid model, missing required field, or malformed JSON.", FaultKind.INVALID),
        ("nano-banana has no resolution", FaultKind.INVALID),
        ("the model takes text only", FaultKind.INVALID),
        ("model: aspect_ratio is not supported", FaultKind.INVALID),
        ("the model does not support 4K", FaultKind.INVALID),
        ("Failed to download image_urls[0]", FaultKind.INPUT_NOT_FETCHED),
        ("Could not download image", FaultKind.INPUT_NOT_FETCHED),
        ("failed to fetch https://studio.example/inputs/x: url is not reachable", FaultKind.INPUT_NOT_FETCHED),
        ("timeout while fetching the reference", FaultKind.INPUT_NOT_FETCHED),
        ("image_urls[1] could not be fetched", FaultKind.INPUT_NOT_FETCHED),
        ("file_download_error", FaultKind.INPUT_NOT_FETCHED),
        ("image_urls[0] is not a supported image", FaultKind.INVALID),
        ("cannot read image", FaultKind.INVALID),
        ("webhook_url must be a public https address", FaultKind.WEBHOOK_REFUSED),
        ("Not enough credits", FaultKind.ACCOUNT_EMPTY),
        ("prompt is required", FaultKind.INVALID),
        ("", FaultKind.INVALID),
    ],
)
def test_refusal_is_classified_by_words(words: str, kind: FaultKind) -> None:
    assert refusal_kind(Reason(words).without(())) is kind


def test_quoted_prompt_does_not_decide_whose_fault_a_refusal_is() -> None:
    for prompt in ("an unknown model", "failed to download image", "a webhook url"):
        assert refusal_kind(Reason(f"bad prompt: {prompt}").without((prompt,))) is FaultKind.INVALID


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
