"""A pseudo locale.

The catalogue in other letters, to find untranslated text.
"""

import re
import string
from pathlib import Path
from typing import Final

import polib

from bot.ui.i18n import CATALOGUE, CATALOGUES

TEMPLATE: Final = CATALOGUES / "atelier.pot"
_LETTERS: Final = str.maketrans(
    string.ascii_letters,
    "абвгдежзийклмнопрстуфхцчшщАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩ",
)
# Placeholders and what is to be typed stay as they are.
_KEPT: Final = re.compile(r"(\{[^}]*\}|`[^`]*`)")
# What every language says alike: what people typed, names, words to type, marks that Discord replaces, addresses.
_ALIKE: Final = re.compile(
    "\u2068[^\u2069]*\u2069"
    r"|`[^`]*`|<[^>]*>|https?://\S+|reve-2\.0|nano-banana(?:-pro)?|seedream-5|flux-3|SkillBoss|reve2img|OpenAI"
    r"|\b(?:auto|png|jpeg|webp|latest(?:-fast)?|aspect_ratio|images|detail|format|resolution|upscale|remove_background|fit"
    r"|effect|version|prompt)\b"
)
_WORD: Final = re.compile(r"[A-Za-z]{2,}|\b[A-Za-z]\b")


def foreign(text: str) -> str:
    """Return an English text in the other letters."""
    return "".join(part if _KEPT.fullmatch(part) else part.translate(_LETTERS) for part in _KEPT.split(text))


def english(text: str) -> list[str]:
    """Return the untranslated words of a text."""
    return _WORD.findall(_ALIKE.sub("", text))


def write_foreign(folder: Path, language: str = "de") -> Path:
    """Write the pseudo locale under `language`'s name; return the folder."""
    catalogue = polib.pofile(str(TEMPLATE))
    catalogue.metadata |= {"Language": language, "Plural-Forms": "nplurals=2; plural=(n != 1);"}
    for entry in catalogue:
        if entry.msgid_plural:
            entry.msgstr_plural = {0: foreign(entry.msgid), 1: foreign(entry.msgid_plural)}
        else:
            entry.msgstr = foreign(entry.msgid)
    file = folder / language / CATALOGUE
    file.parent.mkdir(parents=True)
    catalogue.save(str(file))
    return folder
