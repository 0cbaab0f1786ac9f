"""Mistakes in `.env` that its parser passes over or fails on."""

import codecs
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NAME: Final = re.compile(rb"\s*(?:export\s+)?'?([A-Za-z_][A-Za-z0-9_]*)")
# Control, format and unassigned characters, lone surrogates, line and paragraph separators.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_QUOTES: Final = "\"'`"


class UnreadableFileError(Exception):
    """`.env` cannot be read at all; `lines` say why."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read_env_file(path: Path) -> str:
    """Return the text of a `.env`; "" if there is none.

    Raises:
        UnreadableFileError: it may not be opened, or is not UTF-8.
    """
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise UnreadableFileError((f"{path} cannot be read: {error.strerror or type(error).__name__}",)) from None
    if content.startswith(_UTF_16) or b"\0" in content:
        raise UnreadableFileError((f"{path} is saved as UTF-16, or is no text: save it as UTF-8",))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableFileError(tuple(_lines_of_other_encodings(path, content))) from None


def file_mistakes(path: Path, text: str) -> Iterator[str]:
    """Yield a line for each unparsable assignment, without its value."""
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            yield (
                f"{_name_of(binding.original.string.encode())} in {path}, line {binding.original.line}, cannot be read:"
                " close its quotation marks, or remove them"
            )


def names_of(text: str) -> list[str]:
    """Return the names assigned in a `.env`."""
    return [binding.key for binding in parse_stream(StringIO(text)) if binding.key is not None]


def misspelled_names(names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """Yield one line for each name that only looks like a setting's.

    `known` are names in lower case.
    """
    for name in names:
        plain = _plain(name)
        if plain in known and name.lower() not in known:
            yield f"{plain.upper()} has an accented or invisible character in its name: type the name again"


def illegible(value: str, *, secret: bool) -> str | None:
    """Return the mistake in a value's characters, for after its name.

    Secrets are printable ASCII; of other values only invisible characters are mistakes.
    """
    if any(unicodedata.category(character) in _INVISIBLE for character in value):
        return "has an invisible character in its value: type or copy it again"
    if not secret:
        return None
    if value[:1] in _QUOTES or value[-1:] in _QUOTES:
        return "begins or ends with a quotation mark: remove it"
    if not value.isascii():
        return "has a character that no token has, such as an accent or a curly quotation mark: copy it again"
    if " " in value:
        return "has a space in its value: copy it again"
    return None


def without_quotes(value: str) -> str:
    """Return a value without blanks and one pair of quotation marks.

    The parser of `.env` removes them; some ways to set the environment leave them.
    """
    value = value.strip()
    paired = len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES
    return value[1:-1].strip() if paired else value


def _lines_of_other_encodings(path: Path, content: bytes) -> Iterator[str]:
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            yield f"{_name_of(line)} in {path}, line {number}, is not UTF-8: save the file as UTF-8"


def _name_of(line: bytes) -> str:
    found = _NAME.match(line)
    return found[1].decode().upper() if found else "A name"


def _plain(name: str) -> str:
    """Return a name in lower case, without accents and invisible parts."""
    decomposed = unicodedata.normalize("NFKD", name).lower()
    return "".join(
        character
        for character in decomposed
        if unicodedata.category(character) not in {*_INVISIBLE, "Mn", "Zs"} and character not in _QUOTES
    )
