"""PostgreSQL through asyncpg: READ COMMITTED with row locks for writes, a snapshot for reads."""

from collections.abc import Callable
from typing import Self, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

T = TypeVar("T")

_CONNECTIONS = 10
# Serialization failure and deadlock: the transaction surely did not happen and may be run again.
_RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
_RETRIES = 5


class PostgresqlBackend:
    """A pool of connections."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def dialect(self) -> str:
        """The SQLAlchemy name of the dialect."""
        return "postgresql"

    @classmethod
    def open(cls, url: URL) -> Self:
        """Return the backend for `url`; connects when first used."""
        return cls(
            create_async_engine(
                url.set(drivername="postgresql+asyncpg"),
                pool_size=_CONNECTIONS,
                max_overflow=0,
                pool_pre_ping=True,
                hide_parameters=True,  # errors go to logs; prompts and tokens must not
            )
        )

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run on a snapshot."""
        async with self._snapshots.connect() as connection, connection.begin():
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
        """Close the pool."""
        await self._engine.dispose()

    async def _transaction(self, function: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as connection, connection.begin():
            return await connection.run_sync(function)
