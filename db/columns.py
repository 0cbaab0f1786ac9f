"""Column types and naming conventions shared by all tables."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, Dialect, Index, MetaData, String, TypeDecorator, event
from sqlalchemy.sql.elements import ColumnElement

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime.

    SQLite stores no zone, so the zone is removed on writing and restored on reading.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC.

        Raises:
            ValueError: the time is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Restore the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def id_column(name: str = "id", *arguments: Any, **options: Any) -> Column[str]:
    """Return a column for our ids: time-ordered UUIDs as 32 hex digits."""
    return Column(name, String(32), *arguments, **options)


def snowflake(name: str, *arguments: Any, **options: Any) -> Column[int]:
    """Return a column for one of Discord's ids."""
    return Column(name, BigInteger, *arguments, **options)


def guild_id(**options: Any) -> Column[int]:
    """Return the guild's column.

    In the database it keeps its first name: renaming it would need a migration and gain nothing.
    """
    return snowflake("community_id", key="guild_id", **options)


def partial_index(name: str, *columns: Column[Any], where: ColumnElement[bool], unique: bool = False) -> Index:
    """Return an index of the rows with a condition."""
    index = Index(name, *columns, unique=unique)

    def set_condition(index: Index, connection: Connection, **_: Any) -> None:
        index.dialect_options[connection.dialect.name]["where"] = where

    # Naming PostgreSQL now would import its dialect: 2 MB that a bot with SQLite never uses.
    event.listen(index, "before_create", set_condition)
    return index
