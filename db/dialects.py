"""Statements of SQLite and PostgreSQL: different words, one cache."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import CompiledCacheType
from sqlalchemy.util import LRUCache

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


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT with the `on_conflict_...` methods."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_unless_there(table: Table, *columns: Column[int]) -> Mapping[str, postgresql.Insert | sqlite.Insert]:
    """Return, per dialect, an INSERT for missing rows only.

    A row exists if it has the same `columns`; without `columns`, any key counts.
    """
    index_elements = columns or None
    return {
        "postgresql": postgresql.insert(table).on_conflict_do_nothing(index_elements=index_elements),
        "sqlite": sqlite.insert(table).on_conflict_do_nothing(index_elements=index_elements),
    }


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
