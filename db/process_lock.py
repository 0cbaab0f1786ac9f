"""Lock for one process per SQLite file.

The system releases it when the process dies, however it dies.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.domain.errors import AtelierError


class AlreadyRunningError(AtelierError):
    """Another process serves this database, and SQLite takes only one."""

    code = "already_running"


@contextmanager
def hold_process_lock(database: Path) -> Iterator[None]:
    """Hold the lock beside the database file.

    Raises:
        AlreadyRunningError: another process holds it.
        OSError: the lock file cannot be opened.
    """
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = database.resolve()  # two names of one file are one database
    with database.with_name(f"{database.name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError from None
        yield
