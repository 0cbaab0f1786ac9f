"""The reason in a provider's answer: extraction and classification."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bot.domain.errors import FaultKind
from bot.providers.redaction import is_code, known_code, loggable_code, loggable_words, without_words

# Where the answers of the two seeds and of their pages put the reason, best first.
_KEYS: Final = ("error_message", "error", "message", "detail", "reason", "code")
_SILENT: Final = frozenset({"", "success", "ok"})
_CODE_KEYS: Final = ("code", "type")
_MAX_DEPTH: Final = 3
# Of a list: a body may have millions of items.
_MAX_ITEMS: Final = 20

# The kinds that words decide, the first match first. Patterns read folded words. `re` compiles and keeps them at their
# first use: most starts see no fault.
_PATTERNS: Final = {
    # "safety_tolerance" and the like are names of parameters. An escape joins its letter to the next word, so only
    # whole words count: "\nsfw" is a line break and "sfw".
    FaultKind.CONTENT: (
        r"(?<![a-z\\])(?:safety(?![a-z_])|content[ _-]?(?:policy|violation|filter)|policy violation|moderat(?:ion|ed)"
        r"|prohibited|not allowed by our|nsfw)"
    ),
    FaultKind.ACCOUNT_EMPTY: (
        r"\bbalance\b|insufficient[ _](?:credits?|funds|quota)|not enough credits?|out of credits?"
        r"|budget[ _]exhausted"
    ),
    FaultKind.WEBHOOK_REFUSED: r"webhook|callback[ _-]?ur[il]",
    # A decoder's "cannot read image" is about the file, not about its address.
    FaultKind.INPUT_NOT_FETCHED: (
        r"(?:file|image|input|url)s?[ _-](?:download|fetch)[ _-](?:error|fail(?:ed|ure))"
        r"|(?:fail(?:ed|ure)?(?: to)?|could not|couldn.t|cannot|can.t|unable to|error|timed? ?out)(?: while| when)?"
        r" (?:download|fetch|retriev|access|reach)\w*[^\n]{0,80}?(?:image|input|url|file|picture|reference|…)"
        r"|(?:image|input|url|file|picture|reference)\S*(?: \S+)? (?:could not|couldn.t|cannot|can.t)"
        r" be (?:downloaded|fetched|retrieved|accessed|reached)"
    ),
    # The model itself, at this provider: unknown, closed or not served any more. A list of possible causes ("Invalid
    # model, missing required field, ...") names none, and an option that a model lacks is no fault of the model.
    FaultKind.MODEL_UNAVAILABLE: (
        r"model_(?:not_found|unavailable|deprecated|retired|disabled)|partner_api_closed"
        r"|(?<![a-z])(?:unknown|invalid|unsupported|unavailable|retired|deprecated|discontinued|no such) model"
        r"(?![a-z_,])"
        r"|(?<![a-z_])(?:model(?: \S+)?|api|endpoint) (?:is |was |has been |does |do |could |can |will be )?"
        r"(?:(?:no longer|not) (?:be )?(?:found|exist|available|supported|offered|served|enabled)"
        r"|unknown|closed|discontinued|deprecated|retired|disabled|unavailable|withdrawn|sunset|shut down)"
    ),
}


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


def codes_of(value: object, *, depth: int = 0) -> tuple[str, ...]:
    """Return `code` and `type` of the first place with either."""
    if depth >= _MAX_DEPTH:
        return ()
    if isinstance(value, dict):
        if here := tuple(dict.fromkeys(code for key in _CODE_KEYS if is_code(code := value.get(key)))):
            return here
        parts: Iterable[object] = (value.get(key) for key in _KEYS)
    elif isinstance(value, list):
        parts = islice(value, _MAX_ITEMS)
    else:
        return ()
    return next((codes for part in parts if (codes := codes_of(part, depth=depth + 1))), ())


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason that a provider gives for a fault: text and error codes."""

    text: str = ""
    codes: tuple[str, ...] = ()

    def without(self, hide: Iterable[str]) -> str:
        """Return the codes, and the text without hidden words.

        This is what the classification reads: a quoted prompt must not decide what its refusal is about.
        """
        return "\n".join((*self.codes, without_words(self.text, hide)))

    def code(self, hide: Iterable[str]) -> str:
        """Return the first code that may be logged at any level, or ""."""
        hide = tuple(hide)
        return next((known for code in self.codes if (known := known_code(code, hide))), "")

    def detail(self, hide: Iterable[str]) -> str:
        """Return the code and the words that may be logged at DEBUG."""
        hide = tuple(hide)
        code = loggable_code(self.codes[0], hide) if self.codes else ""
        words = "" if self.text in self.codes else loggable_words(self.text, hide)
        return ": ".join(part for part in (code, words) if part)


def reason_of(document: object) -> Reason:
    """Return the first reason in an answer."""
    return Reason(words_of(document), codes_of(document))


def refuses_content(text: str) -> bool:
    """Return True if the words refuse the prompt or image for its content."""
    return _says(text, FaultKind.CONTENT)


def refusal_kind(text: str) -> FaultKind:
    """Return the reason of a refused submit, by folded words.

    Most providers answer 400 for whatever they dislike, so the status alone does not say who is at fault. Content is
    left out: whether words about it count depends on the status.
    """
    return _first_kind(text, besides=FaultKind.CONTENT) or FaultKind.INVALID


def failure_kind(text: str) -> FaultKind:
    """Return the reason of a FAILED job, by folded words.

    Seed: "Vendor error or insufficient balance". A job that was accepted did not fail for its webhook.
    """
    return _first_kind(text, besides=FaultKind.WEBHOOK_REFUSED) or FaultKind.GENERATION


def _first_kind(text: str, *, besides: FaultKind) -> FaultKind | None:
    return next((kind for kind in _PATTERNS if kind is not besides and _says(text, kind)), None)


def _says(text: str, kind: FaultKind) -> bool:
    return re.search(_PATTERNS[kind], text, re.IGNORECASE) is not None
