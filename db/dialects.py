"""The few statements that SQLAlchemy spells differently for SQLite and PostgreSQL."""

from collections.abc import Mapping

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_unless_there(table: Table, *columns: Column[int]) -> Mapping[str, postgresql.Insert | sqlite.Insert]:
    """Return, for each dialect's name, an INSERT that leaves a row with the same `columns` (none: any key) as it is."""
    index_elements = columns or None
    return {
        "postgresql": postgresql.insert(table).on_conflict_do_nothing(index_elements=index_elements),
        "sqlite": sqlite.insert(table).on_conflict_do_nothing(index_elements=index_elements),
    }
