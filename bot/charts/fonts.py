"""Fonts of the charts, and the characters in them."""

import re
import unicodedata
from functools import cache
from typing import Final

from matplotlib import font_manager, ft2font

# DejaVu comes with matplotlib. The others are used where the system has them: Chinese, Japanese, Korean, and symbols.
_BUNDLED: Final = "DejaVu Sans"
_OTHERS: Final = (
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Noto Sans JP",
    "Noto Sans KR",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "IPAGothic",
    "Unifont",
    "Noto Sans Symbols2",
    "Symbola",
)
# Marks over marks would reach into the lines above and below.
_TOWERS: Final = re.compile("(?<=[\u0300-\u036f]{2})[\u0300-\u036f]+")


@cache
def families() -> tuple[str, ...]:
    """Return the fonts in their order: each fills the gaps of those before."""
    installed = set(font_manager.get_font_names())
    return (_BUNDLED, *(name for name in _OTHERS if name in installed))


def drawable(text: str) -> str:
    """Return a text without characters missing in all fonts.

    Letters in fancy forms become plain ones. The rest may be empty.
    """
    composed = _TOWERS.sub("", unicodedata.normalize("NFC", text))
    return " ".join("".join(map(_drawable, composed)).split())


def _drawable(character: str) -> str:
    # Invisible characters join emoji and turn the direction of text: nothing of them should be left.
    if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Cn"} or _is_variation(character):
        return " " if character.isspace() else ""
    if ord(character) in _characters():
        return character
    plain = unicodedata.normalize("NFKC", character)
    return plain if all(ord(each) in _characters() for each in plain) else ""


def _is_variation(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f"


@cache
def _characters() -> frozenset[int]:
    """Return the characters of all fonts together."""
    files = (font_manager.findfont(family) for family in families())
    return frozenset(code for file in files for code in ft2font.FT2Font(file).get_charmap())
