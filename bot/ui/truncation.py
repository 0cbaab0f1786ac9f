"""Cutting of texts to a limit, between graphemes."""

import re
import unicodedata
from typing import Final

_ELLIPSIS: Final = "…"
_JOINER: Final = "\u200d"
# Characters that belong to the one before them: marks, the joiner, skin tones, the letters of a flag, its tags.
_BELONGS: Final = re.compile("[\u200d\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\U000e0020-\U000e007f]")
_LONGEST_CLUSTER: Final = 32
_BEFORE_ELLIPSIS: Final = " ,;:.-…"


def cut(text: str, limit: int) -> str:
    """Return at most `limit` code points, with an ellipsis if cut.

    A near space is preferred, and punctuation before the ellipsis is dropped. A grapheme (a letter with its marks, an
    emoji of several code points) stays whole.
    """
    if len(text) <= limit:
        return text
    end = _grapheme_start(text, limit - 1)
    space = text.rfind(" ", limit * 2 // 3, end)
    kept = text[: space if space > 0 else end].rstrip()
    return (kept.rstrip(_BEFORE_ELLIPSIS) or kept) + _ELLIPSIS


def _grapheme_start(text: str, at: int) -> int:
    """Return the nearest grapheme boundary up to `at`.

    `at` itself in a long run of marks without a letter.
    """
    for place in range(at, max(0, at - _LONGEST_CLUSTER), -1):
        joined = text[place - 1] == _JOINER or _BELONGS.match(text[place])
        if not joined and not unicodedata.category(text[place]).startswith("M"):
            return place
    return at
