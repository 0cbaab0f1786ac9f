"""Disk space for images: free bytes, limits, reservations."""

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

MEGABYTE: Final = 1_000_000

FreeBytes = Callable[[Path], int]
"""Returns the bytes that can be written to the file system of a folder."""


class Shortage(StrEnum):
    """The reason why no further image may be begun."""

    DISK = "disk"  # too little free space on the disk
    TOTAL = "total"  # the stored images reach the operator's limit


class DiskFullError(OSError):
    """Writing this image would leave too little space."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, "too little space for pictures")


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of a folder, existing or not."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    return shutil.disk_usage(existing).free


class DiskSpace:
    """Accounts for the space of images before they are written.

    `folders` are the store's and, if it is a file, the database's: each disk keeps `min_free` bytes. Images that are
    paid for may use half of them, so that neither they nor the database meet a full disk. `total` limits the bytes of
    all stored images; None: no limit.
    """

    def __init__(
        self,
        folders: Sequence[Path] = (),
        *,
        min_free: int = 0,
        total: int | None = None,
        free: FreeBytes = free_bytes,
    ) -> None:
        self._folders = tuple(folders)
        self._min_free = min_free
        self._total = total
        self._free = free
        self._stored = 0
        self._reserved: dict[object, int] = {}

    @property
    def min_free(self) -> int:
        """Bytes to keep free on each disk."""
        return self._min_free

    @property
    def stored(self) -> int:
        """Bytes of all stored images."""
        return self._stored

    def free(self) -> int | None:
        """Return the free bytes of the fullest disk; None if unknown."""
        found = []
        for folder in self._folders:
            with suppress(OSError):
                found.append(self._free(folder))
        return min(found, default=None)

    def set_stored(self, size: int) -> None:
        """Set the bytes of all stored images, as the database has them."""
        self._stored = size

    def add_stored(self, size: int) -> None:
        """Add the bytes of an image stored since `set_stored`."""
        self._stored += size

    def shortage(self) -> Shortage | None:
        """Return why no further image may be begun, or None."""
        return self._shortage(self._min_free, self._total)

    @contextmanager
    def reserve(self, *, paid: bool) -> Iterator[Callable[[int], None]]:
        """Yield a function to reserve bytes until the end of the block.

        Each call replaces the one before; it raises `DiskFullError` if there is too little space. An image that is
        `paid` for may use half of the space that is kept free, and exceed the limit of all images.
        """
        mine = object()

        def claim(size: int) -> None:
            self._reserved[mine] = size
            if self._shortage(self._min_free // 2 if paid else self._min_free, None if paid else self._total):
                del self._reserved[mine]
                raise DiskFullError

        try:
            yield claim
        finally:
            self._reserved.pop(mine, None)

    def _shortage(self, min_free: int, total: int | None) -> Shortage | None:
        reserved = sum(self._reserved.values())
        if total is not None and self._stored + reserved > total:
            return Shortage.TOTAL
        for folder in self._folders:
            with suppress(OSError):  # a folder that cannot be asked shows itself by the next write
                # Reserved bytes may go to this disk: images and database are mostly on the same one.
                if self._free(folder) - reserved < min_free:
                    return Shortage.DISK
        return None
