"""INSERTs and UPDATEs of many rows.

PostgreSQL gets them as one statement with an array for each column: row after row, its server and the driver take about
twice as long. SQLite gets row after row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ARRAY, Column, Connection, Insert, Table, Update, bindparam, column, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

Given: TypeAlias = Mapping[str, ColumnElement[Any]]
"""A row's values by their names."""
Rows: TypeAlias = Sequence[Mapping[str, Any]]

_ROWS: Final = "given_rows"


class ManyInserts:
    """An INSERT of rows with the same columns."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._plain = insert(table)
        self._built: dict[tuple[str, ...], Insert] = {}

    def execute(self, connection: Connection, rows: Rows) -> None:
        """Insert the rows."""
        if not _are_arrays(connection, rows):
            connection.execute(self._plain, rows)
            return
        names = tuple(rows[0])
        if names not in self._built:
            given = _unnested({name: self._table.c[name].type for name in names})
            self._built[names] = insert(self._table).from_select(list(names), select(*given.values()))
        connection.execute(self._built[names], _as_arrays(rows))


class ManyUpdates:
    """An UPDATE for rows with the same columns; each changes another row.

    `where` and `values` return the conditions and the changes for a row's values. Values beside the columns to set are
    in `others`, with columns of their types. Without `values`, the columns are set as they are given.
    """

    def __init__(
        self,
        table: Table,
        others: Mapping[str, Column[Any]],
        where: Callable[[Given], Sequence[ColumnElement[bool]]],
        values: Callable[[Given], Mapping[str, ColumnElement[Any]]] | None = None,
    ) -> None:
        self._table = table
        self._others = others
        self._where = where
        self._values = values or (lambda given: {name: each for name, each in given.items() if name not in others})
        self._built: dict[tuple[bool, tuple[str, ...]], Update] = {}

    def execute(self, connection: Connection, rows: Rows) -> int:
        """Update the rows; return how many there were."""
        are_arrays, names = _are_arrays(connection, rows), tuple(rows[0])
        statement = self._built.get((are_arrays, names))
        if statement is None:
            columns = {**self._table.c, **self._others}
            types = {name: columns[name].type for name in names}
            given = _unnested(types) if are_arrays else {name: bindparam(name, type_=types[name]) for name in names}
            statement = update(self._table).where(*self._where(given)).values(**self._values(given))
            self._built[are_arrays, names] = statement
        return connection.execute(statement, _as_arrays(rows) if are_arrays else rows).rowcount


def _are_arrays(connection: Connection, rows: Rows) -> bool:
    return len(rows) > 1 and connection.dialect.name == "postgresql"


def _as_arrays(rows: Rows) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _unnested(types: Mapping[str, TypeEngine[Any]]) -> Given:
    """Return the columns of a table made of arrays."""
    arrays = [bindparam(name, type_=ARRAY(each, dimensions=1)) for name, each in types.items()]
    table = func.unnest(*arrays).table_valued(*(column(name, each) for name, each in types.items()), name=_ROWS)
    return dict(table.render_derived().c)
