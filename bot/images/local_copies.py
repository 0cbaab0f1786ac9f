"""Copies of stored images on this machine, for uploads and decoders."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 256 * 1024 * 1024
"""Bytes of all copies on a disk."""
_USED_FOR_SECONDS: Final = 600.0


class LocalCopies:
    """A folder of fetched images and of temporary files.

    The copies used least recently go once all take more than `most_bytes`; one that was asked for within ten minutes
    stays, because an upload may be reading it. Several processes may use the same folder. Every method blocks.
    """

    def __init__(self, root: Path, *, most_bytes: int = MOST_BYTES, now: Callable[[], float] = time.time) -> None:
        self._root = root
        self._temporary = root / "tmp"
        self._most_bytes = most_bytes
        self._now = now

    def temporary(self) -> Path:
        """Return the folder for incoming files; create it if missing."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        return self._temporary

    def find(self, file_name: str) -> Path | None:
        """Return the copy of a name for ten minutes; None if missing."""
        path = self._root / file_name
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def keep(self, temporary: Path, file_name: str, *, is_used: bool) -> Path:
        """Move a temporary file to a name, and return its path.

        The copy is whole even after a power cut: nothing compares it with its hash again.
        """
        path = self._root / file_name
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        used_at = self._now() - (0.0 if is_used else _USED_FOR_SECONDS)
        os.utime(temporary, (used_at, used_at))
        temporary.replace(path)
        self._make_room()
        return path

    def drop(self, file_name: str) -> None:
        """Delete the copy of a name, if there is one."""
        (self._root / file_name).unlink(missing_ok=True)

    def sweep(self, *, older_than: datetime) -> int:
        """Delete copies and temporary files not used since a time; count them."""
        removed = 0
        for modified, _, path in self._files(self._root, self.temporary()):
            if modified < older_than.timestamp():
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _make_room(self) -> None:
        files = sorted(self._files(self._root))
        excess = sum(size for _, size, _ in files) - self._most_bytes
        for modified, size, path in files:
            if excess <= 0 or modified > self._now() - _USED_FOR_SECONDS:
                return
            path.unlink(missing_ok=True)
            excess -= size

    def _files(self, *folders: Path) -> list[tuple[float, int, Path]]:
        """Return the files of folders, with their time and size."""
        found = []
        for folder in folders:
            for entry in os.scandir(folder):
                try:
                    if entry.is_file(follow_symlinks=False):
                        stat = entry.stat()
                        found.append((stat.st_mtime, stat.st_size, Path(entry.path)))
                except FileNotFoundError:  # removed meanwhile
                    continue
        return found
