"""Temporary folders with copies of the database.

They hold prompts, so a folder that a killed command left behind is deleted by the next one.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = ".atelier-backup."
# A folder is locked right after it is made.
_MIN_AGE_SECONDS: Final = 60.0


@contextmanager
def open_workspace(folder: Path) -> Iterator[Path]:
    """Yield a new folder for its user only, deleted at the end.

    Raises:
        OSError: it cannot be made.
    """
    _delete_abandoned(folder)
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=_PREFIX, ignore_cleanup_errors=True) as name,
        _open_folder(Path(name)) as handle,
    ):
        with suppress(OSError):  # without locks, as on some network disks, nothing is deleted later
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Path(name)


def _delete_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _MIN_AGE_SECONDS:
                continue
            with _open_folder(path) as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)


@contextmanager
def _open_folder(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)
