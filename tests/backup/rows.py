"""Rows for every table, and comparisons of whole databases."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.types import TypeDecorator

from db.columns import metadata
from db.database import Database
from tests.support.clock import START
from tests.support.factories import make_id

Rows = dict[str, list[tuple[Any, ...]]]

_CHECKED: Final[Mapping[str, Mapping[str, Any]]] = {"allowances": {"member_id": 0}}
"""Values for the tables' conditions."""

_AT: Final[datetime] = START + timedelta(microseconds=654_321)


def fill_empty_tables(connection: Connection) -> None:
    """Insert a row into each table that has none."""
    for table in metadata.sorted_tables:
        if not connection.execute(select(func.count()).select_from(table)).scalar_one():
            values = {column.key: _value(connection, column) for column in table.columns}
            connection.execute(insert(table), {**values, **_CHECKED.get(table.name, {})})


def _value(connection: Connection, column: Column[Any]) -> Any:
    if column.foreign_keys:
        (key, *_) = column.foreign_keys
        return connection.execute(select(key.column).limit(1)).scalar_one()
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, DateTime):
        return _AT
    if isinstance(kind, JSON):
        return {"ü": [1, 2.5, None]}
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, LargeBinary):
        return b"\x00\xff"
    if isinstance(kind, BigInteger):
        return 2**62
    if isinstance(kind, Integer | Numeric):
        return 1
    length = getattr(kind, "length", None)
    return make_id()[-length:] if length else make_id()


async def read_everything(url: str) -> Rows:
    """Return all rows of all tables, sorted."""

    def read(connection: Connection) -> Rows:
        return {table.name: _sorted(connection, table) for table in metadata.sorted_tables}

    database = await Database.open(url)
    try:
        return await database.read(read)
    finally:
        await database.close()


def _sorted(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
