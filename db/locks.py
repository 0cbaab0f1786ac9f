"""What only one process may do at a time, by PostgreSQL's advisory locks. SQLite has one writer, and one process."""

from typing import Final

from sqlalchemy import Connection, text

# Any numbers, as long as every process of the product takes the same ones.
MIGRATING: Final = 0x41_74_65_6C
CLAIMING: Final = 0x41_74_65_6D
IDENTIFYING: Final = 0x41_74_65_6E
SAVING_PRESETS: Final = 0x41_74_65_6F


def advisory_lock(connection: Connection, key: int) -> None:
    """Wait until no other process is in a transaction that waited for the same key."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def disable_timeout(connection: Connection) -> None:
    """Let this transaction last as long as it needs; PostgreSQL ends others after some seconds."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'")
        )
