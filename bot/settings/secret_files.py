"""Secrets in files: NAME_FILE names the file with the value of NAME.

Docker and Kubernetes mount secrets this way. No error has a path or a content: either may be the secret itself.
"""

import codecs
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bot.env_file import without_quotes

_SUFFIX: Final = "_file"
_MAX_BYTES: Final = 8192
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFiles:
    """Contents and paths of the secrets in files, by setting.

    `mistakes` has one line for each file that cannot be used.
    """

    contents: dict[str, str] = field(default_factory=dict, repr=False)
    paths: dict[str, Path] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)


class _UnusableFileError(Exception):
    """A file has no secret; the message follows the variable's name."""


def is_secret(setting: FieldInfo) -> bool:
    """Return whether a setting's value is hidden, and may be in a file."""
    return setting.annotation is SecretStr or SecretStr in get_args(setting.annotation) or not setting.repr


def secret_names(settings: Mapping[str, FieldInfo]) -> list[str]:
    """Return the names of the secrets among settings."""
    return [name for name, setting in settings.items() if is_secret(setting)]


def file_setting(name: str) -> str:
    """Return the name of the setting of a secret's file."""
    return name + _SUFFIX


def read_secret_files(
    names: Iterable[str], *, environment: Mapping[str, str | None], env_file: Mapping[str, str | None]
) -> SecretFiles:
    """Read the files of these secrets.

    The environment overrides `.env`, for a value and for a file alike.
    """
    files = SecretFiles()
    places = [_set_values(environment), _set_values(env_file)]
    for name in names:
        variable = file_setting(name)
        place = next((each for each in places if name in each or variable in each), {})
        if variable not in place:
            continue
        if name in place:
            files.mistakes.append(f"{name.upper()} and {variable.upper()} are both set: remove one of them")
            continue
        path = Path(place[variable])
        try:
            files.contents[name] = _read(path)
            files.paths[name] = path
        except _UnusableFileError as error:
            files.mistakes.append(f"{variable.upper()} {error}")
    return files


def _set_values(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Return the values but blank ones, by names in lower case."""
    values = {name.lower(): without_quotes(value) for name, value in variables.items() if value is not None}
    return {name: value for name, value in values.items() if value}


def _read(path: Path) -> str:
    """Return a file's text without blanks around it.

    Raises:
        _UnusableFileError: there is no such file, or no secret in it.
    """
    try:
        # Opening a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _UnusableFileError("names something that is no file")
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise _UnusableFileError(f"names a file that cannot be read: {why}") from None
    if len(content) > _MAX_BYTES:
        raise _UnusableFileError(f"names a file of more than {_MAX_BYTES} bytes, and a secret is short")
    if content.startswith(_UTF_16) or b"\0" in content:
        raise _UnusableFileError("names a file that is saved as UTF-16, or is no text: save it as UTF-8")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _UnusableFileError("names a file that is no text in UTF-8: save it as UTF-8") from None
    if not text:
        raise _UnusableFileError("names an empty file")
    return text


def is_open_to_others(path: Path) -> bool:
    """Return whether other users of this machine can read a file.

    Read-only mounts are those of containers, which have one user.
    """
    try:
        return bool(path.stat().st_mode & stat.S_IROTH) and not os.statvfs(path).f_flag & os.ST_RDONLY
    except OSError:
        return False
