"""The language that people are spoken to in: gettext's catalogues, and which of them is in force.

The language belongs to the task: who makes a card says `with speaking(locale):` around it, and every function below
reads it there. So cards stay pure functions of a snapshot and of the language in force: English where none was named.
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

import polib

from bot.domain.lazy_text import LazyPlural, LazyText

CATALOGUES: Final = Path(__file__).parents[1] / "locale"
CATALOGUE: Final = Path("LC_MESSAGES") / "atelier.po"

_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_ENGLISH: Final = NullTranslations()
_IN_FORCE: Final[ContextVar[NullTranslations]] = ContextVar("language", default=_ENGLISH)


@contextmanager
def use_locale(locale: str, folder: Path | None = None) -> Iterator[None]:
    """Say everything in this block in a language, named as Discord names it ("de", "pt-BR"); `folder` is for tests."""
    token = _IN_FORCE.set(catalogue(locale, folder))
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


def set_locale(locale: str) -> None:
    """Say everything in the rest of this task in a language: for tasks that answer one person."""
    _IN_FORCE.set(catalogue(locale))


def _(message: str) -> str:
    """Return a text in the language in force; a text of the domain with its values in place."""
    if isinstance(message, LazyText):
        return _IN_FORCE.get().gettext(message.template).format(**message.values)
    if isinstance(message, LazyPlural):
        return ngettext(message.one, message.several, message.number).format(count=message.number)
    return _IN_FORCE.get().gettext(message) if message else ""  # gettext keeps its header under ""


def ngettext(one: str, many: str, number: int) -> str:
    """Return the form of a text that goes with a number, in the language in force."""
    return _IN_FORCE.get().ngettext(one, many, number)


def N_(message: str) -> str:  # noqa: N802 - gettext's name for it
    """Mark a text of a table: it is extracted here, and said with `_` where it is used."""
    return message


def catalogue(locale: str, folder: Path | None = None) -> NullTranslations:
    """Return a locale's texts: those of the region, else of the language, else English, for each text apart."""
    return _read(locale, folder or CATALOGUES)


def read_catalogues() -> None:
    """Read all catalogues now: reading one takes longer than an answer, and no member should wait for it."""
    for path in CATALOGUES.glob(f"*/{CATALOGUE}"):
        _compiled(path)


@lru_cache(maxsize=128)
def _read(locale: str, folder: Path) -> NullTranslations:
    texts = _ENGLISH
    if _LOCALE.fullmatch(locale) is None:
        return texts
    parts = locale.replace("-", "_").split("_")
    for end in range(1, len(parts) + 1):
        path = folder / "_".join(parts[:end]) / CATALOGUE
        if path.is_file():
            found = GNUTranslations(io.BytesIO(_compiled(path)))
            found.add_fallback(texts)
            texts = found
    return texts


@lru_cache(maxsize=128)
def _compiled(path: Path) -> bytes:
    return bytes(polib.pofile(str(path)).to_binary())
