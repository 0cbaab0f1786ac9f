"""Advisory locks on PostgreSQL.

SQLite needs none: it has one writer and serves one process.
"""

from typing import Final

from sqlalchemy import Connection, text

# Arbitrary numbers, but the same in every process.
MIGRATING: Final = 0x41_74_65_6C
CLAIMING: Final = 0x41_74_65_6D
IDENTIFYING: Final = 0x41_74_65_6E
SAVING_PRESETS: Final = 0x41_74_65_6F
PLANNING_DIRECT_MESSAGES: Final = 0x41_74_65_70
COUNTING_FREE_REPEATS: Final = 0x41_74_65_71
CLAIMING_HANDLES: Final = 0x41_74_65_72
PAUSING: Final = 0x41_74_65_73
BEGINNING_DAILY_REPORTS: Final = 0x41_74_65_75
BUILDING_PROMPT_INDEX: Final = 0x41_74_65_76


def advisory_lock(connection: Connection, key: int) -> None:
    """Wait until no other transaction holds the lock of this key."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def shared_advisory_lock(connection: Connection, key: int) -> None:
    """Wait until no other transaction holds `advisory_lock` of this key.

    Several transactions can hold the shared lock at once.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": key})


def disable_timeout(connection: Connection) -> None:
    """Disable the transaction timeout for this transaction.

    PostgreSQL otherwise ends a transaction after some seconds.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'")
        )
