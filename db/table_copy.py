"""Copies of all rows from one database to another, of any kind."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, Table, false, func, insert, inspect, literal, null, select, text

from db.backup_columns import copied_tables
from db.tables import facts

_ROWS: Final = 500


def copy_rows(
    source: Connection, target: Connection, tables: Iterable[Table], erased: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """Copy all rows and return their numbers by table.

    `erased` has, by table and column, values in place of the stored ones; those are not even read. Rows are streamed.
    """
    return {table.name: _copy_table(source, target, table, erased.get(table.name, {})) for table in tables}


def _copy_table(source: Connection, target: Connection, table: Table, erased: Mapping[str, Any]) -> int:
    columns = [column for column in table.columns if column.key not in erased]
    keys = [column.key for column in columns]
    # Without `null()`, a missing value of this type becomes JSON's null, and that is a value for SQL.
    nullable_json = {each.key for each in columns if isinstance(each.type, JSON) and each.nullable}
    statement, count = insert(table), 0
    with source.execute(select(*columns).execution_options(yield_per=_ROWS)) as rows:
        for part in rows.partitions():
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
