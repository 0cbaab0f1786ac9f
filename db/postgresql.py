"""PostgreSQL through asyncpg: READ COMMITTED with row locks for writes, a snapshot for reads, bounded waits."""

import re
from collections.abc import Callable
from typing import Final, Self, TypeVar

from sqlalchemy import URL, Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

T = TypeVar("T")

_CONNECTIONS = 10
# Whoever waits longer is better told: a lost network or a full server would otherwise hold every task for ever.
_CONNECT_SECONDS = 10.0
_POOL_SECONDS = 10.0
_COMMAND_SECONDS = 30.0
# A process that stands still in the midst of a transaction keeps its locks, and nobody else would get a slot or renew a
# lease until it wakes up. So PostgreSQL ends a transaction that waits for its next statement (else milliseconds), and
# from version 17 on any that takes too long: one that has heard half of a statement does not count as waiting.
_IDLE_SECONDS = 5.0
_TRANSACTION_SECONDS = 10.0
_SET_IF_KNOWN: Final = "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = $2"
# What reads everything, such as the audit, takes minutes once there are millions of rows.
_PATIENT_COMMAND_SECONDS = 3600.0
# Serialization failure and deadlock: the transaction surely did not happen and may be run again.
_RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
_RETRIES = 5

# The class of errors about values, whose messages quote them.
_DATA_EXCEPTION: Final = "22"
_ARGUMENT: Final = re.compile(r"invalid input for query argument \$\d+")


class PostgresqlBackend:
    """A pool of connections, and one connection for what takes long."""

    def __init__(self, engine: AsyncEngine, patient: AsyncEngine) -> None:
        for each in (engine, patient):
            event.listen(each.sync_engine, "handle_error", _forget_values)
        self._engine = engine
        self._patient = patient
        self._snapshots = _read_only(engine)
        self._patient_snapshots = _read_only(patient)

    @property
    def dialect(self) -> str:
        """The SQLAlchemy name of the dialect."""
        return "postgresql"

    @classmethod
    def open(cls, url: URL) -> Self:
        """Return the backend for `url`; connects when first used."""
        hasty = _engine(url, connections=_CONNECTIONS, command_seconds=_COMMAND_SECONDS)
        event.listen(hasty.sync_engine, "connect", _end_what_stands_still)
        return cls(hasty, _engine(url, connections=1, command_seconds=_PATIENT_COMMAND_SECONDS))

    async def read(self, function: Callable[[Connection], T], *, patient: bool = False) -> T:
        """Run on a snapshot; a patient one has a connection of its own, so that the others stay free."""
        snapshots = self._patient_snapshots if patient else self._snapshots
        async with snapshots.connect() as connection, connection.begin():
            return await connection.run_sync(function)

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run, and run again when PostgreSQL chose it as a deadlock's victim."""
        for _ in range(_RETRIES):
            try:
                return await self._transaction(function)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _RETRIED_SQLSTATES:
                    raise
        return await self._transaction(function)

    async def close(self) -> None:
        """Close the pools."""
        await self._engine.dispose()
        await self._patient.dispose()

    async def _transaction(self, function: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as connection, connection.begin():
            return await connection.run_sync(function)


def _engine(url: URL, *, connections: int, command_seconds: float) -> AsyncEngine:
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        pool_timeout=_POOL_SECONDS,
        connect_args={"timeout": _CONNECT_SECONDS, "command_timeout": command_seconds},
        hide_parameters=True,  # errors go to logs; prompts and tokens must not
    )


def _end_what_stands_still(connection: DBAPIConnection, _: object) -> None:
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
    """Take rows and parameters out of an error before anybody sees it.

    `hide_parameters` does so for SQLAlchemy's own words only. PostgreSQL says "DETAIL: Failing row contains (...)", the
    driver "invalid input for query argument $1: '...'", and a traceback shows the whole chain of causes.
    """
    error: BaseException | None = context.original_exception
    if not isinstance(error, context.dialect.loaded_dbapi.Error):
        return  # ours, out of a transaction's function
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
    """Return an error's name and its first words, or only what in them quotes no value."""
    source = error.__cause__ or error
    name = type(source).__name__
    code = str(getattr(source, "sqlstate", None) or "")
    message = str(source.args[0]) if source.args else ""
    if isinstance(source, ValueError) or code.startswith(_DATA_EXCEPTION):
        argument = _ARGUMENT.search(message)
        message = argument[0] if argument else "a value"
    return f"{name} ({code}): {message}" if code else f"{name}: {message}"
