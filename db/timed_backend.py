"""Times of transactions, for the metrics."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection

from db.backend import Backend

T = TypeVar("T")

RecordTransaction = Callable[[str, float], None]
"""Records a transaction: `read`, `search` or `write`, and its seconds with the wait for its turn."""


class TimedBackend:
    """Recorder of the times of another backend's transactions."""

    def __init__(self, backend: Backend, record: RecordTransaction) -> None:
        self._backend = backend
        self._record = record

    @property
    def dialect(self) -> str:
        """The SQLAlchemy name of the dialect."""
        return self._backend.dialect

    async def read(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run in one read-only transaction."""
        with self._timed("read"):
            return await self._backend.read(function, long_running=long_running)

    async def search(self, function: Callable[[Connection], T]) -> T:
        """Run on a connection for searches alone."""
        with self._timed("search"):
            return await self._backend.search(function)

    async def write(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run in one durable transaction."""
        with self._timed("write"):
            return await self._backend.write(function, long_running=long_running)

    async def autocommit(self, function: Callable[[Connection], T]) -> T:
        """Run without a transaction around all, and without a record."""
        return await self._backend.autocommit(function)

    async def close(self) -> None:
        """Disconnect."""
        await self._backend.close()

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._record(kind, time.perf_counter() - begin)
