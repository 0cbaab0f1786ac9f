"""Takedowns of pictures."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from db.columns import UtcDateTime, guild_id, id_column, metadata, partial_index, snowflake

# Guild 0 is everywhere. The job has no foreign key: its guild's data may be erased before.
takedowns = Table(
    "takedowns",
    metadata,
    id_column(primary_key=True),
    # The receipt, readable by phone.
    Column("code", String(12), nullable=False),
    guild_id(nullable=False),
    id_column("job_id"),
    Column("position", Integer),
    Column("kind", String(12), nullable=False),
    # Whether the same pictures are refused later.
    Column("refuses", Boolean, nullable=False),
    snowflake("actor_id", nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("lifted_at", UtcDateTime),
    # Until then copies are searched and removed.
    Column("finished_at", UtcDateTime),
    UniqueConstraint("code"),
)
_IS_OPEN = takedowns.c.finished_at.is_(None)
partial_index("ix_takedowns_open", takedowns.c.at, where=_IS_OPEN)

takedown_pictures = Table(
    "takedown_pictures",
    metadata,
    id_column("takedown_id", ForeignKey("takedowns.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("fingerprint", String(64)),
)
Index("ix_takedown_pictures_sha256", takedown_pictures.c.sha256)

# An index of the fingerprints by each of their parts, as `fingerprint_keys`.
takedown_keys = Table(
    "takedown_keys",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    id_column("takedown_id", ForeignKey("takedowns.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
)

# The jobs to be removed: their pictures first, then their messages.
takedown_jobs = Table(
    "takedown_jobs",
    metadata,
    id_column("takedown_id", ForeignKey("takedowns.id"), primary_key=True),
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("removed_at", UtcDateTime),
    Column("erased_at", UtcDateTime),
    # Of the pictures to be removed, with commas between; None is the whole job.
    Column("positions", String(64)),
)
Index("ix_takedown_jobs_job_id", takedown_jobs.c.job_id)
