"""Emoji of reactions: recognized, compared and shown."""

import unicodedata
from typing import Final

from sandbox.discord.encoding import Json

_STYLE: Final = "\ufe0f"
"""It asks for colour; Discord takes an emoji with and without it for the same."""
_JOINED: Final = {"\u200d", "\u20e3", _STYLE}
_SKINS: Final = range(0x1F3FB, 0x1F400)
_LETTERS: Final = range(0x1F1E6, 0x1F200)
_TAGS: Final = range(0xE0020, 0xE0080)
_PUNCTUATION: Final = frozenset("\u203c\u2049\u3030\u00a9\u00ae")
_FIRST: Final = 0x2010
_KEYS: Final = frozenset("0123456789*#")
_KEYCAP: Final = "\u20e3"
_LONGEST: Final = 32


def emoji_key(text: str) -> str:
    """Return an emoji in the form to compare."""
    return text.replace(_STYLE, "")


def is_emoji(text: str) -> bool:
    """Return whether a text is one emoji of Unicode.

    Nothing here has custom emoji, so their `name:id` is unknown.
    """
    key = emoji_key(text)
    if not 0 < len(key) <= _LONGEST:
        return False
    if key.endswith(_KEYCAP):
        return key[:-1] in _KEYS
    return all(_belongs(each) for each in key) and any(_shows(each) for each in key)


def emoji_payload(text: str) -> Json:
    """Return a reaction's emoji."""
    return {"id": None, "name": text}


def _belongs(letter: str) -> bool:
    number = ord(letter)
    return letter in _JOINED or number in _SKINS or number in _TAGS or _shows(letter)


def _shows(letter: str) -> bool:
    number = ord(letter)
    pictorial = number >= _FIRST and unicodedata.category(letter) in ("So", "Sm")
    return letter in _PUNCTUATION or number in _LETTERS or pictorial
