"""Transactions on SQLite and PostgreSQL behind one interface.

A transaction is a synchronous function of a connection: it cannot await anything, and all of it is durable or
none.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, make_url

from db.backend import Backend
from db.sqlite import SqliteBackend
from db.timed_backend import RecordTransaction, TimedBackend

T = TypeVar("T")


class Database:
    """Runner of transactions.

    A transaction runs to its end even if its caller is cancelled.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open the database at a URL.

        That is `sqlite+aiosqlite:///file` (created if missing) or `postgresql+asyncpg://...`.

        Raises:
            sqlalchemy.exc.ArgumentError: the URL cannot be parsed.
            ValueError: the URL names another kind of database.
            OSError: the database cannot be opened. A driver may raise its own error instead.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return cls(await SqliteBackend.open(parsed))
        if parsed.get_backend_name() == "postgresql":
            # SQLAlchemy's asyncio part and its ORM take a tenth of a start.
            from db.postgresql import PostgresqlBackend  # noqa: PLC0415 - see above

            return cls(PostgresqlBackend.open(parsed))
        raise ValueError(f"{parsed.drivername} is not supported")

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._backend.dialect

    @property
    def busy(self) -> bool:
        """True if a transaction is running."""
        return bool(self._running)

    def time_transactions(self, record: RecordTransaction) -> None:
        """Record the kind and the seconds of each transaction from now on."""
        self._backend = TimedBackend(self._backend, record)

    async def read(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Return `function(connection)` from one read-only transaction.

        The transaction sees one state of the database. `long_running` is for reads of everything, which may take
        minutes; otherwise PostgreSQL gives a statement 30 seconds.
        """
        return await self._run_to_end(self._backend.read(function, long_running=long_running))

    async def search(self, function: Callable[[Connection], T]) -> T:
        """Return `function(connection)` as `read` does, on other connections.

        Searches wait for each other there. However many run, the other reads are not delayed.
        """
        return await self._run_to_end(self._backend.search(function))

    async def write(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Return `function(connection)` from one transaction, durable or undone.

        A cancelled caller does not learn the outcome, but the transaction runs to its end. `function` may be run
        again after a deadlock on PostgreSQL, so it must change nothing but the database. `long_running` is for a
        command that fills a whole database while no bot runs: its statements may take longer than 30 seconds.
        """
        return await self._run_to_end(self._backend.write(function, long_running=long_running))

    async def autocommit(self, function: Callable[[Connection], T]) -> T:
        """Return `function(connection)`; each statement commits by itself.

        For what PostgreSQL does only outside a transaction. It may take an hour, and it is cancelled with its caller.
        """
        return await self._backend.autocommit(function)

    async def close(self) -> None:
        """Finish the running transactions and disconnect."""
        while self._running:
            await asyncio.wait(self._running)
        await self._backend.close()

    def keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin work with transactions; `close` waits for its end."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def _run_to_end(self, transaction: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self.keep(transaction))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not report it after the caller was cancelled
