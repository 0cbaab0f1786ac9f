"""Meanings of the errors of OpenAI's Images API and its relatives."""

import re
from collections.abc import Iterator
from typing import Any, Final

import httpx

from bot.domain.errors import FaultKind
from bot.providers.error_mapping import MAX_RETRY_AFTER

_CONTENT: Final = frozenset(
    {"moderation_blocked", "content_policy_violation", "content_filter", "responsibleaipolicyviolation"}
)
_EMPTY: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
# The account may be closed for what it drew before: that is no refusal of this prompt.
_REJECTED: Final = frozenset({"invalid_api_key", "account_deactivated", "organization_deactivated"})
_MAYBE_CONTENT: Final = frozenset({400, 403, 422})
_MAYBE_EMPTY: Final = frozenset({400, 402, 403, 429})
_RESETS: Final = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-reset-images")
_PARTS: Final = ("code", "type", "error_code")
# Azure puts the reason one level deeper, in one of two spellings.
_INNER: Final = ("error", "inner_error", "innererror")
_MAX_DEPTH: Final = 3

_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS: Final = (3600.0, 60.0, 1.0, 0.001)


def kind_of(status: int, document: object, headers: httpx.Headers) -> FaultKind | None:
    """Return the fault of an error's codes, or None if they decide nothing."""
    del headers
    codes = set(_codes(document))
    if status in _MAYBE_CONTENT and codes & _CONTENT:
        return FaultKind.CONTENT
    if status in _MAYBE_EMPTY and codes & _EMPTY:
        return FaultKind.ACCOUNT_EMPTY
    return FaultKind.KEY_REJECTED if status == httpx.codes.FORBIDDEN and codes & _REJECTED else None


def wait_of(headers: httpx.Headers, document: object) -> float | None:
    """Return the longest wait of a rate limit's reset, in seconds.

    The resets are in the answers to all calls, so they count for a rate limit only.
    """
    if "rate_limit_exceeded" not in _codes(document):
        return None
    waits = [seconds for name in _RESETS if (seconds := duration(headers.get(name))) is not None]
    return max(waits, default=None)


def duration(text: str | None) -> float | None:
    """Return the seconds of a duration such as `1m30s`, `250ms` or `12`."""
    if not text:
        return None
    if re.fullmatch(r"\d{1,9}(?:\.\d+)?", text):
        return min(float(text), MAX_RETRY_AFTER)
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    seconds = sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS, strict=True) if part)
    return min(seconds, MAX_RETRY_AFTER)


def _codes(document: object, depth: int = 0) -> Iterator[str]:
    """Yield the codes of an error and of the errors in it, in lower case."""
    if not isinstance(document, dict) or depth >= _MAX_DEPTH:
        return
    fields: dict[str, Any] = document
    for name in _PARTS:
        if isinstance(code := fields.get(name), str):
            yield code.lower()
    for name in _INNER:
        yield from _codes(fields.get(name), depth + 1)
