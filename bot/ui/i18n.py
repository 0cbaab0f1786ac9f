"""Translations: gettext catalogues and the current locale.

The locale belongs to the task. `with use_locale(locale):` sets it for a block, and every function below reads it.
So cards stay pure functions of a snapshot and of the current locale. English is the default.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final

from bot.domain.lazy_text import LazyPlural, LazyText

CATALOGUES: Final = Path(__file__).parents[1] / "locale"
CATALOGUE: Final = Path("LC_MESSAGES") / "atelier.po"

# Discord's names of the languages that it offers.
_TITLES: Final = {
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt-BR": "Português",
    "ru": "Русский",
    "sv-SE": "Svenska",
    "tr": "Türkçe",
    "uk": "Українська",
    "zh-CN": "中文",
}
# The header is the first; an empty text has nothing behind it.
_FILLED: Final = re.compile(r'^msgstr(?:\[\d\])? "(?:[^"]|"\n")', re.MULTILINE)
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_ENGLISH: Final = NullTranslations()
_IN_FORCE: Final[ContextVar[NullTranslations]] = ContextVar("language", default=_ENGLISH)


@contextmanager
def use_locale(locale: str, folder: Path | None = None) -> Iterator[None]:
    """Use a locale in this block.

    It is named as Discord names it ("de", "pt-BR"). `folder` is for tests.
    """
    token = _IN_FORCE.set(catalogue(locale, folder))
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


def set_locale(locale: str) -> None:
    """Use a locale for the rest of a task that answers one person."""
    _IN_FORCE.set(catalogue(locale))


def _(message: str) -> str:
    """Return a text in the current locale.

    A text of the domain gets its values.
    """
    if isinstance(message, LazyText):
        return _IN_FORCE.get().gettext(message.template).format(**message.values)
    if isinstance(message, LazyPlural):
        return ngettext(message.one, message.several, message.number).format(count=message.number)
    return _IN_FORCE.get().gettext(message) if message else ""  # gettext keeps its header under ""


def ngettext(one: str, many: str, number: int) -> str:
    """Return the plural form for a number in the current locale."""
    return _IN_FORCE.get().ngettext(one, many, number)


def N_(message: str) -> str:  # noqa: N802 - gettext's name for it
    """Mark a text for extraction. It is translated with `_` where used."""
    return message


def catalogue(locale: str, folder: Path | None = None) -> NullTranslations:
    """Return a locale's texts.

    Each text comes from the region, else from the language, else it is English.
    """
    return _read(locale, folder or CATALOGUES)


def has_catalogue(locale: str, folder: Path | None = None) -> bool:
    """Return whether a locale has texts apart from the English ones."""
    return catalogue(locale, folder) is not _ENGLISH


def has_catalogues(folder: Path | None = None) -> bool:
    """Return whether any language has texts apart from the English ones."""
    return bool(_filled(folder or CATALOGUES))


def read_catalogues() -> None:
    """Read all catalogues now: no member should wait for it.

    Reading one takes longer than an answer.
    """
    for path in _filled(CATALOGUES):
        _compiled(path)


def _filled(folder: Path) -> list[Path]:
    """Return the catalogues with texts."""
    return [path for path in folder.glob(f"*/{CATALOGUE}") if _has_texts(path)]


@lru_cache(maxsize=128)
def _read(locale: str, folder: Path) -> NullTranslations:
    texts = _ENGLISH
    if _LOCALE.fullmatch(locale) is None:
        return texts
    parts = locale.replace("-", "_").split("_")
    for end in range(1, len(parts) + 1):
        path = folder / "_".join(parts[:end]) / CATALOGUE
        if path.is_file() and _has_texts(path):
            found = GNUTranslations(io.BytesIO(_compiled(path)))
            found.add_fallback(texts)
            texts = found
    return texts


@lru_cache(maxsize=128)
def _has_texts(path: Path) -> bool:
    """Return whether a catalogue has any text; to parse it takes long."""
    return len(_FILLED.findall(path.read_text(encoding="utf-8"))) > 1


@lru_cache(maxsize=128)
def _compiled(path: Path) -> bytes:
    # Not at the top: a bot that speaks English alone parses no catalogue.
    import polib  # noqa: PLC0415 - see above

    return bytes(polib.pofile(str(path)).to_binary())


def languages() -> tuple[str, ...]:
    """Return the languages with texts, as Discord names them."""
    found = {path.parts[-3].replace("_", "-") for path in CATALOGUES.glob(f"*/{CATALOGUE}")}
    return tuple(sorted({"en", *found}))


def language_title(locale: str) -> str:
    """Return a language's own name."""
    return _TITLES.get(locale, locale)
