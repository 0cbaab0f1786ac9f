"""The interface of both kinds of database."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Backend(Protocol):
    """One kind of database.

    `Database` ensures that no transaction is cancelled midway.
    """

    @property
    def dialect(self) -> str:
        """The SQLAlchemy name of the dialect."""
        ...

    async def read(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run in one read-only transaction on a consistent snapshot."""
        ...

    async def search(self, function: Callable[[Connection], T]) -> T:
        """Run as `read`, on a connection for searches alone."""
        ...

    async def write(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run in one durable transaction."""
        ...

    async def autocommit(self, function: Callable[[Connection], T]) -> T:
        """Run on a new connection, without a transaction around all."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...
