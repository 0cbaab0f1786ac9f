"""The folder of one sandbox, locked against other sandboxes."""

import contextlib
import fcntl
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def reserve_folder(folder: Path) -> Iterator[Path]:
    """Yield `folder`, or one beside it while another sandbox uses `folder`.

    The folder beside it is removed at the end; the lock ends with the process, however it ends.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        own = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        lock = _try_lock(own.with_name(f"{own.name}.lock"))
        if lock is None:
            continue
        try:
            yield own
        finally:
            if number > 1:
                shutil.rmtree(own, ignore_errors=True)
            lock.close()
        return


def _try_lock(file: Path) -> BinaryIO | None:
    """Return the locked file, or None if another process has locked it.

    The file lies beside the folder and stays: a removed one could be locked twice.
    """
    opened = file.open("ab")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        opened.close()
        return None
    return opened
