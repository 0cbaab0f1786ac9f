"""Statements of SQLite and PostgreSQL: different words, one cache."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import CompiledCacheType
from sqlalchemy.util import LRUCache

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")

_CACHED_STATEMENTS: Final = 500


class EqualDialect:
    """A base of dialects that are equal, so that connections share statements."""

    def __eq__(self, other: object) -> bool:
        """Return True for another of the class."""
        return type(other) is type(self)

    def __hash__(self) -> int:
        """Return the hash of the class."""
        return hash(type(self))


def insert(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """Return an INSERT with the `on_conflict_...` methods."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    # Not at the top: the dialect takes 2 MB, also of bots with SQLite.
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

    return postgresql.insert(table)


class InsertUnlessThere:
    """An INSERT for missing rows only, built once for a dialect.

    A row exists if it has the same `columns`; without `columns`, any key counts.
    """

    def __init__(self, table: Table, *columns: Column[int]) -> None:
        self._table = table
        self._columns = columns or None
        self._built: dict[str, postgresql.Insert | sqlite.Insert] = {}

    def on(self, connection: Connection) -> "postgresql.Insert | sqlite.Insert":
        """Return the statement for a connection."""
        name = connection.dialect.name
        if name not in self._built:
            self._built[name] = insert(connection, self._table).on_conflict_do_nothing(index_elements=self._columns)
        return self._built[name]


def padded(values: Iterable[T]) -> list[T]:
    """Return the values of a list in a statement, the last one repeated.

    Lists of few different lengths make few different statements to compile and to plan.
    """
    listed = list(values)
    missing = (1 << max(0, len(listed) - 1).bit_length()) - len(listed)
    return listed + listed[-1:] * missing


def statement_cache() -> CompiledCacheType:
    """Return a cache of compiled statements for connections to share.

    Compiling a statement costs more than running it.
    """
    return LRUCache(_CACHED_STATEMENTS)
