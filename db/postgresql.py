"""PostgreSQL through asyncpg.

Writes use READ COMMITTED with row locks, reads a snapshot. All waits are bounded.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final, Self, TypeVar

from sqlalchemy import URL, Connection, NullPool, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import CompiledCacheType, DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from db.dialects import EqualDialect, statement_cache

T = TypeVar("T")

_CONNECTIONS = 10
_SEARCH_CONNECTIONS = 2
# Waits are bounded, because a lost network or a full server would otherwise block every task for ever.
_CONNECT_SECONDS = 10.0
_POOL_SECONDS = 10.0
_COMMAND_SECONDS = 30.0
# A process paused inside a transaction keeps its locks: no other could get a slot or renew a lease. So PostgreSQL ends
# idle transactions, and from version 17 all long ones (a half-received statement does not count as idle).
_IDLE_SECONDS = 5.0
_TRANSACTION_SECONDS = 10.0
_SET_IF_KNOWN: Final = "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = $2"
# Full reads, such as the audit, take minutes with millions of rows.
_LONG_COMMAND_SECONDS = 3600.0
# Serialization failure and deadlock: the transaction was undone for sure and may be run again.
_RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
_RETRIES = 5

# SQLSTATE class of data errors: their messages quote the values.
_DATA_EXCEPTION: Final = "22"
_ARGUMENT: Final = re.compile(r"invalid input for query argument \$\d+")


class PostgresqlBackend:
    """Pools of connections: for all, for searches and for long transactions."""

    def __init__(
        self, engine: AsyncEngine, search_engine: AsyncEngine, long_engine: AsyncEngine, single_engine: AsyncEngine
    ) -> None:
        for each in (engine, search_engine, long_engine, single_engine):
            event.listen(each.sync_engine, "handle_error", _forget_values)
        self._engine = engine
        self._search_engine = search_engine
        self._long_engine = long_engine
        self._single_engine = single_engine.execution_options(isolation_level="AUTOCOMMIT")
        self._search_turns = asyncio.Semaphore(_SEARCH_CONNECTIONS)
        self._snapshots = _read_only(engine)
        self._search_snapshots = _read_only(search_engine)
        self._long_snapshots = _read_only(long_engine)

    @property
    def dialect(self) -> str:
        """The SQLAlchemy name of the dialect."""
        return "postgresql"

    @classmethod
    def open(cls, url: URL) -> Self:
        """Return the backend for `url`; connects when first used."""
        # Statements are compiled once for all.
        new_engine = partial(_engine, url.set(drivername="postgresql+atelier"), statement_cache())
        engine = new_engine(connections=_CONNECTIONS, command_seconds=_COMMAND_SECONDS)
        event.listen(engine.sync_engine, "connect", _set_idle_timeouts)
        searches = new_engine(connections=_SEARCH_CONNECTIONS, command_seconds=_COMMAND_SECONDS)
        event.listen(searches.sync_engine, "connect", _set_idle_timeouts)
        new_long_engine = partial(new_engine, command_seconds=_LONG_COMMAND_SECONDS)
        return cls(engine, searches, new_long_engine(connections=1), new_long_engine(connections=None))

    async def read(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run on a snapshot.

        Long reads use a separate connection, so that they do not block the others.
        """
        snapshots = self._long_snapshots if long_running else self._snapshots
        async with _transaction(snapshots) as connection:
            return await connection.run_sync(function)

    async def search(self, function: Callable[[Connection], T]) -> T:
        """Run on a snapshot, on one of the few connections for searches."""
        # A queue of our own: the pool's wait ends with an error.
        async with self._search_turns, _transaction(self._search_snapshots) as connection:
            return await connection.run_sync(function)

    async def write(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run, and run again after a deadlock or serialization failure."""
        engine = self._long_engine if long_running else self._engine
        for _ in range(_RETRIES):
            try:
                return await self._write(function, engine)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _RETRIED_SQLSTATES:
                    raise
        return await self._write(function, engine)

    async def autocommit(self, function: Callable[[Connection], T]) -> T:
        """Run on a new connection, which is closed afterwards."""
        async with self._single_engine.connect() as connection:
            return await connection.run_sync(function)

    async def close(self) -> None:
        """Close the pools."""
        await self._engine.dispose()
        await self._search_engine.dispose()
        await self._long_engine.dispose()

    @staticmethod
    async def _write(function: Callable[[Connection], T], engine: AsyncEngine) -> T:
        async with _transaction(engine) as connection:
            return await connection.run_sync(function)


class _Dialect(EqualDialect, PGDialect_asyncpg):
    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Send BEGIN at once, not before the first statement.

        A connection that was lost while idle then fails before anything ran.
        """
        await_only(dbapi_connection._start_transaction())  # noqa: SLF001 - no public way


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """Yield a connection in a transaction; replace one lost while idle.

    That costs nothing as long as connections live, whereas the pool's own check asks the server before each use.
    """
    for is_last in (False, True):
        async with engine.connect() as connection, AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(connection.begin())
            except DBAPIError as error:
                if is_last or not error.connection_invalidated:
                    raise
                continue  # the pool has dropped the other connections too
            yield connection
            return


registry.register("postgresql.atelier", __name__, _Dialect.__name__)


def _engine(url: URL, statements: CompiledCacheType, *, connections: int | None, command_seconds: float) -> AsyncEngine:
    """Return an engine with a pool; without one if `connections` is None."""
    pool: dict[str, Any] = {"pool_size": connections, "max_overflow": 0, "pool_timeout": _POOL_SECONDS}
    return create_async_engine(
        url,
        execution_options={"compiled_cache": statements},
        **({"poolclass": NullPool} if connections is None else pool),
        connect_args={"timeout": _CONNECT_SECONDS, "command_timeout": command_seconds},
        hide_parameters=True,  # errors go to logs; prompts and tokens must not
    )


def _set_idle_timeouts(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    for name, seconds in (
        ("idle_in_transaction_session_timeout", _IDLE_SECONDS),
        ("transaction_timeout", _TRANSACTION_SECONDS),
    ):
        cursor.execute(_SET_IF_KNOWN, (f"{seconds * 1000:.0f}", name))
    cursor.close()
    connection.commit()


def _read_only(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _forget_values(context: ExceptionContext) -> None:
    """Remove rows and parameters from an error before it is logged.

    `hide_parameters` does so for SQLAlchemy's message only. PostgreSQL says "DETAIL: Failing row contains (...)",
    the driver "invalid input for query argument $1: '...'", and a traceback shows the whole chain of causes.
    """
    error: BaseException | None = context.original_exception
    if not isinstance(error, context.dialect.loaded_dbapi.Error):
        return  # our own error, raised inside a transaction
    words = None
    while error is not None:
        words = words or _without_values(error)
        error.args = (words,)
        for attribute in ("detail", "hint"):
            if getattr(error, attribute, None) is not None:
                setattr(error, attribute, None)
        error = error.__cause__
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (words,)


def _without_values(error: BaseException) -> str:
    """Return an error's name and message without any value.

    If the message may quote a value, only its harmless part is kept.
    """
    source = error.__cause__ or error
    name = type(source).__name__
    code = str(getattr(source, "sqlstate", None) or "")
    message = str(source.args[0]) if source.args else ""
    if isinstance(source, ValueError) or code.startswith(_DATA_EXCEPTION):
        argument = _ARGUMENT.search(message)
        message = argument[0] if argument else "a value"
    return f"{name} ({code}): {message}" if code else f"{name}: {message}"
