"""`Database`: a synchronous function of a connection, run as one transaction, on SQLite and PostgreSQL alike.

So nobody can await anything inside a transaction, and all of it is durable or none.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, Self, TypeVar

from sqlalchemy import Connection, make_url

from db.postgresql import PostgresqlBackend
from db.sqlite import SqliteBackend

T = TypeVar("T")


class Backend(Protocol):
    """One kind of database. Neither method is ever cancelled midway: `Database` sees to that."""

    @property
    def dialect(self) -> str:
        """The SQLAlchemy name of the dialect."""
        ...

    async def read(self, function: Callable[[Connection], T], *, patient: bool = False) -> T:
        """Run in one transaction that sees one state of the database and cannot change it."""
        ...

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run in one durable transaction."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class Database:
    """Runs transactions; each survives the cancellation of whoever awaits it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Return the database at `url`: `sqlite+aiosqlite:///file` (made if missing) or `postgresql+asyncpg://...`.

        Raises `sqlalchemy.exc.ArgumentError` or `ValueError` for a URL that is neither, `OSError` or a driver's error
        when it cannot be opened.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return cls(await SqliteBackend.open(parsed))
        if parsed.get_backend_name() == "postgresql":
            return cls(PostgresqlBackend.open(parsed))
        raise ValueError(f"{parsed.drivername} is not supported")

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._backend.dialect

    @property
    def busy(self) -> bool:
        """Whether a transaction is under way."""
        return bool(self._running)

    async def read(self, function: Callable[[Connection], T], *, patient: bool = False) -> T:
        """Return `function(connection)`, run in one read-only transaction that sees one state of the database.

        `patient` is for what reads everything and may take minutes; else PostgreSQL gives a statement 30 seconds.
        """
        return await self._carry_through(self._backend.read(function, patient=patient))

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Return `function(connection)`, run in one transaction: all of it is durable, or none.

        A cancelled caller no longer knows the outcome, but the transaction is carried through. `function` may be
        run again (PostgreSQL's deadlocks), so it changes nothing but the database.
        """
        return await self._carry_through(self._backend.write(function))

    async def close(self) -> None:
        """Finish the transactions under way and disconnect."""
        while self._running:
            await asyncio.wait(self._running)
        await self._backend.close()

    async def _carry_through(self, transaction: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(transaction)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it when the caller has gone
