"""Processes, turns and small values."""

from sqlalchemy import Column, String, Table, Text

from db.columns import UtcDateTime, guild_id, id_column, metadata, snowflake

# Small values that survive a restart, by name.
facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# The running processes. If `expires_at` stops moving, the process is dead or hangs: its jobs may be taken over.
workers = Table(
    "workers",
    metadata,
    id_column(primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# When a member, and a guild (as its member 0), last got a slot. Only claims write it, one at a time.
turns = Table(
    "turns",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("served_at", UtcDateTime, nullable=False),
)
