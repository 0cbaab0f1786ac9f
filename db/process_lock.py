"""The proof that no other process serves the same SQLite file: a lock that the system takes back at any death."""

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
    """Hold the lock beside the database file; raises `AlreadyRunningError` where another process has it, or OSError."""
    database.parent.mkdir(parents=True, exist_ok=True)
    database = database.resolve()  # two names of one file are one database
    with database.with_name(f"{database.name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError from None
        yield
