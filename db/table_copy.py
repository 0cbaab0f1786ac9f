"""Copies of all rows from one database to another, of any kind."""

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Table,
    delete,
    false,
    func,
    insert,
    inspect,
    literal,
    null,
    select,
    text,
)

from db.backup_columns import copied_tables
from db.columns import metadata
from db.tables import facts

_ROWS: Final = 500


class CopyStoppedError(Exception):
    """Somebody has stopped a copy."""


class Stop:
    """The end of a copy before its time.

    A transaction runs on when its caller is cancelled. A copy of everything takes minutes, and must not be committed
    then.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()

    @contextmanager
    def if_cancelled(self) -> Iterator[None]:
        """Stop the copy if the caller is cancelled in here."""
        try:
            yield
        except asyncio.CancelledError:
            self._wanted.set()
            raise

    def check(self) -> None:
        """Continue, unless the caller was cancelled.

        Raises:
            CopyStoppedError: it was.
        """
        if self._wanted.is_set():
            raise CopyStoppedError


def copy_rows(
    source: Connection,
    target: Connection,
    tables: Iterable[Table],
    erased: Mapping[str, Mapping[str, Any]],
    stop: Stop | None = None,
) -> dict[str, int]:
    """Copy all rows and return their numbers by table.

    `erased` has, by table and column, values in place of the stored ones; those are not even read. Rows are streamed.

    Raises:
        CopyStoppedError: the caller was cancelled.
    """
    stop = stop or Stop()
    return {table.name: _copy_table(source, target, table, erased.get(table.name, {}), stop) for table in tables}


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of every table."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


def delete_rows(connection: Connection) -> None:
    """Delete the rows of every table."""
    for table in reversed(metadata.sorted_tables):
        connection.execute(delete(table))


def update_statistics(connection: Connection) -> None:
    """Let PostgreSQL count new rows, so that it plans its first queries well."""
    if connection.dialect.name == "postgresql":
        quote = connection.dialect.identifier_preparer.quote
        connection.exec_driver_sql(f"ANALYZE {', '.join(quote(table.name) for table in metadata.sorted_tables)}")


def _copy_table(source: Connection, target: Connection, table: Table, erased: Mapping[str, Any], stop: Stop) -> int:
    columns = [column for column in table.columns if column.key not in erased]
    keys = [column.key for column in columns]
    # Without `null()`, a missing value of this type becomes JSON's null, and that is a value for SQL.
    nullable_json = {each.key for each in columns if isinstance(each.type, JSON) and each.nullable}
    statement, count = insert(table), 0
    with source.execute(select(*columns).execution_options(yield_per=_ROWS)) as rows:
        for part in rows.partitions():
            stop.check()
            values = [dict(zip(keys, row, strict=True)) | dict(erased) for row in part]
            for name in nullable_json:
                for each in values:
                    each[name] = null() if each[name] is None else each[name]
            target.execute(statement, values)
            count += len(values)
    if target.dialect.name == "postgresql" and table.autoincrement_column is not None:
        _continue_numbers(target, table, table.autoincrement_column)
    return count


def _continue_numbers(connection: Connection, table: Table, column: Column[int]) -> None:
    """Let PostgreSQL count on from the highest copied number."""
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    if connection.execute(select(sequence)).scalar() is None:
        return
    highest = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
    connection.execute(select(func.setval(sequence, highest, false())))


def is_used(connection: Connection) -> bool:
    """Return whether the database has a row of a member or a guild."""
    existing = set(inspect(connection).get_table_names())
    return any(
        connection.execute(select(literal(1)).select_from(table).limit(1)).first() is not None
        for table in copied_tables()
        if table.name in existing and table is not facts
    )


def move_aside(connection: Connection, schema: str) -> None:
    """Move all tables of PostgreSQL's current schema to a new one."""
    quote = connection.dialect.identifier_preparer.quote
    names = inspect(connection).get_table_names()
    connection.execute(text(f"CREATE SCHEMA {quote(schema)}"))
    for name in names:
        connection.execute(text(f"ALTER TABLE {quote(name)} SET SCHEMA {quote(schema)}"))
