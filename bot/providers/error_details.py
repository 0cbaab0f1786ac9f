"""A provider's own words: extraction, cleaning and classification."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final

from bot.domain.errors import FaultKind

MAX_DETAIL: Final = 300

# Where the answers of the two seeds and of their pages put the reason, best first.
_KEYS: Final = ("error_message", "error", "message", "detail", "reason", "code")
_SILENT: Final = frozenset({"", "success", "ok"})
_MAX_DEPTH: Final = 3
# Of a list: a body may have millions of items.
_MAX_ITEMS: Final = 20

# The slashes of an address may be escaped, as JSON and addresses in addresses have them.
_ADDRESS: Final = re.compile(r"\b(?:[a-z][a-z0-9+.-]{0,30}(?::|%3a)(?:\\*/|%2f){2}|www\.)\S+", re.IGNORECASE)
# The last form is how keys and tokens look that name no kind; our own webhooks' tokens do.
_CREDENTIAL: Final = re.compile(r"\b(?:bearer\s+|sk-)\S+|[a-z0-9_-]{40,}", re.IGNORECASE)
# Not a "safety_tolerance" or the like: that is the name of a parameter.
_CONTENT: Final = re.compile(
    r"(?<![a-z])safety(?![a-z_])|content[ _-]?(?:policy|violation|filter)|policy violation|moderat(?:ion|ed)"
    r"|prohibited|not allowed by our|nsfw",
    re.IGNORECASE,
)
_ACCOUNT_EMPTY: Final = re.compile(
    r"\bbalance\b|insufficient[ _](?:credits?|funds|quota)|not enough credits?|out of credits?|budget[ _]exhausted",
    re.IGNORECASE,
)


def words_of(value: object, *, depth: int = 0) -> str:
    """Return the first reason in an answer, or "".

    `error` may be a string or an object (seed: "2. Poll status", `poll["error"]`; its error pages); a list gives
    its first reason, if that is among its first few items.
    """
    if isinstance(value, str):
        text = value.strip()
        return "" if text.lower() in _SILENT else text
    if depth >= _MAX_DEPTH:
        return ""
    if isinstance(value, dict):
        parts: Iterable[object] = (value.get(key) for key in _KEYS)
    elif isinstance(value, list):
        parts = islice(value, _MAX_ITEMS)
    else:
        return ""
    return next((words for part in parts if (words := words_of(part, depth=depth + 1))), "")


def clean_detail(text: str) -> str:
    """Return the words on one line, without URLs and credentials.

    The line has at most 300 characters.
    """
    text = _ADDRESS.sub("[address]", text)
    text = _CREDENTIAL.sub("[hidden]", text)
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"


def refuses_content(text: str) -> bool:
    """Return True if the words refuse the prompt or image for its content."""
    return _CONTENT.search(text) is not None


def failure_kind(text: str) -> FaultKind:
    """Return the reason of a FAILED job.

    Seed: "Vendor error or insufficient balance".
    """
    if refuses_content(text):
        return FaultKind.CONTENT
    if _ACCOUNT_EMPTY.search(text):
        return FaultKind.ACCOUNT_EMPTY
    return FaultKind.GENERATION
