"""Selection of the parts of a provider's answer that may be logged.

Providers quote requests in any spelling, cut and escaped. So no quotation is searched for: only the words of a fixed
vocabulary pass, and none of them if it occurs in a hidden text such as the prompt. Text passes at DEBUG only; above
it, a log shows codes that consist of such words.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, TypeGuard

MAX_WORDS: Final = 12
DROPPED: Final = "…"
VOCABULARY: Final = frozenset(
    re.findall(
        "[a-z]+",
        """
        access account allowed api authentication available bad balance billing blocked budget busy cannot closed
        conflict connect connection content credentials credit credits denied deprecated detected disabled discontinued
        download empty enough error errors exceeded exceeds exhausted expired failed failure fetch field fields filter
        filters flagged forbidden format found funds gateway generate generation hard height image images input inputs
        insufficient internal invalid json key large length limit limited limits long malformed many maximum minimum
        missing model models moderated moderation must not nsfw overloaded param parameter parameters partner payload
        permission policy prohibited prompt quota rate ratio reached refused rejected request requests required
        resolution response result retry return safety server service size small status supported system temporarily
        timed timeout token too transient unable unauthorized unavailable unexpected unknown unprocessable unsupported
        upstream url user value vendor version violates violation wallet webhook width wrong
        """,
    )
)

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_WORD: Final = re.compile(r"[a-z]+")
_CODE_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# A body may have megabytes; the reason is at its beginning.
_MAX_SEARCHED: Final = 4_000
# Shorter words, such as "by", are in most prompts. Each phrase that decides a classification has a longer one.
_SHORTEST_REMOVED: Final = 4


def is_code(value: object) -> TypeGuard[str]:
    """Return True for a short identifier, such as `invalid_request_error`."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def known_code(code: str, hide: Iterable[str]) -> str:
    """Return an identifier of vocabulary words, or "".

    Digits are no words: a code such as `E4` may be a piece of a prompt.
    """
    if not is_code(code):
        return ""
    hidden = _folded(hide)
    parts = [part.lower() for part in _CODE_PART.findall(code)]
    return code if all(part in VOCABULARY and part not in hidden for part in parts) else ""


def loggable_code(code: str, hide: Iterable[str]) -> str:
    """Return an identifier, or its loggable words if any part is hidden."""
    hidden = _folded(hide)
    parts = re.findall("[a-z0-9]{3,}", code.lower())
    if is_code(code) and not any(part in hidden for part in (code.lower(), *parts)):
        return code
    return loggable_words(code, hide)


def loggable_words(text: str, hide: Iterable[str]) -> str:
    """Return the first words of the vocabulary, except those in hidden texts.

    Dropped words become "…", several in a row a single one.
    """
    hidden = _folded(hide)
    shown: list[str] = []
    for word in re.findall(r"[^\W_]+", _folded([text[:_MAX_SEARCHED]])):
        passes = word in VOCABULARY and word not in hidden and len(shown) - shown.count(DROPPED) < MAX_WORDS
        if passes or shown[-1:] != [DROPPED]:
            shown.append(word if passes else DROPPED)
    return " ".join(shown)


def without_words(text: str, hide: Iterable[str]) -> str:
    """Return the text for classification: folded, and without hidden words."""
    hidden = _folded(hide)
    return _WORD.sub(
        lambda word: DROPPED if len(word[0]) >= _SHORTEST_REMOVED and word[0] in hidden else word[0],
        _folded([text[:_MAX_SEARCHED]]),
    )


def _folded(texts: Iterable[str]) -> str:
    """Return the texts on separate lines, without case, accents and ligatures."""
    decomposed = unicodedata.normalize("NFKD", "\n".join(texts)).casefold()
    return "".join(character for character in decomposed if not unicodedata.combining(character))
