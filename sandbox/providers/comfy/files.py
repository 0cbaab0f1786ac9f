"""Files of the ComfyUI fake: uploaded inputs and saved outputs, in memory."""

import struct
import zlib
from collections.abc import Callable
from typing import Final

TYPES: Final = ("input", "output", "temp")
_MAX_NAME_LENGTH: Final = 255
_PNG_START: Final = 33  # signature and IHDR

Key = tuple[str, str, str]
"""Type, subfolder and name."""


class PathError(ValueError):
    """A path outside the folder of its type."""


class Files:
    """Keeps uploaded files as bytes and outputs as functions to draw them."""

    def __init__(self) -> None:
        self._files: dict[Key, bytes | Callable[[], bytes]] = {}
        self._counters: dict[str, int] = {}

    def input_names(self) -> list[str]:
        """Return the names for LoadImage, with their subfolders."""
        return [_join(subfolder, name) for type_, subfolder, name in self._files if type_ == "input"]

    def upload(self, content: bytes, *, type_: str, subfolder: str, name: str, overwrite: bool) -> tuple[str, str]:
        """Store a file, and return its name and subfolder.

        Without `overwrite`, a used name with other content gets a number.

        Raises:
            PathError: The name or the subfolder leaves the folder.
        """
        subfolder, name = check_path(subfolder), check_name(name)
        stem, dot, extension = name.rpartition(".")
        chosen, number = name, 0
        while not overwrite and self._files.get((type_, subfolder, chosen), content) != content:
            number += 1
            chosen = f"{stem if dot else name} ({number}){dot}{extension if dot else ''}"
        self._files[type_, subfolder, chosen] = content
        return chosen, subfolder

    def save(self, draw: Callable[[], bytes], *, type_: str, prefix: str) -> dict[str, str]:
        """Store an output under the prefix's next number, and return its place.

        Raises:
            PathError: The prefix leaves the folder.
        """
        folder, _, stem = prefix.replace("\\", "/").rpartition("/")
        subfolder = check_path(folder)
        number = self._counters[prefix] = self._counters.get(prefix, 0) + 1
        name = f"{check_name(stem or 'ComfyUI')}_{number:05}_.png"
        self._files[type_, subfolder, name] = draw
        return {"filename": name, "subfolder": subfolder, "type": type_}

    def find(self, *, type_: str, subfolder: str, name: str) -> bytes | Callable[[], bytes] | None:
        """Return a file, or the function to draw it; None if missing."""
        return self._files.get((type_, subfolder, name))

    def find_input(self, path: str) -> bytes:
        """Return an uploaded file by its name for LoadImage; empty if missing."""
        subfolder, _, name = path.rpartition("/")
        found = self._files.get(("input", subfolder, name), b"")
        return found if isinstance(found, bytes) else b""


def check_name(name: str) -> str:
    """Return a file's name.

    Raises:
        PathError: It is empty or has a path.
    """
    if not name or len(name) > _MAX_NAME_LENGTH or name in {".", ".."} or set("/\\\0") & set(name):
        raise PathError("invalid file name")
    return name


def check_path(subfolder: str) -> str:
    """Return a subfolder.

    Raises:
        PathError: It leaves the folder.
    """
    parts = subfolder.replace("\\", "/").split("/")
    if subfolder.startswith("/") or ".." in parts or "\0" in subfolder or ":" in subfolder:
        raise PathError("invalid subfolder")
    return "/".join(part for part in parts if part not in ("", "."))


def add_text_chunks(png: bytes, texts: dict[str, str]) -> bytes:
    """Return a PNG with text chunks before its pixels; texts are ASCII."""
    chunks = b"".join(_chunk(b"tEXt", f"{name}\0{text}".encode("ascii")) for name, text in texts.items())
    return png[:_PNG_START] + chunks + png[_PNG_START:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _join(subfolder: str, name: str) -> str:
    return f"{subfolder}/{name}" if subfolder else name
