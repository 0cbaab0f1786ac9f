"""The tables. Migrations make them; a test proves that both agree."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    true,
)

from bot.domain.jobs import DEFAULT_LOCALE

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
    """An aware UTC datetime. SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring to UTC; a naive time is a fault of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _id(name: str = "id", *arguments: Any, **options: Any) -> Column[str]:
    """Return a column for one of our ids: a time-ordered UUID as 32 hexadecimal digits."""
    return Column(name, String(32), *arguments, **options)


def _snowflake(name: str, *arguments: Any, **options: Any) -> Column[int]:
    return Column(name, BigInteger, *arguments, **options)


communities = Table(
    "communities",
    metadata,
    _snowflake("id", primary_key=True, autoincrement=False),
    Column("admitted_at", UtcDateTime),
    _snowflake("admitted_by"),
)

# Small things to remember between starts, by name.
facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# The running processes. One whose `expires_at` no longer moves is dead or hangs: its jobs may be taken over.
workers = Table(
    "workers",
    metadata,
    _id(primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    _snowflake("community_id", key="guild_id", primary_key=True, autoincrement=False),
    _snowflake("member_id", primary_key=True, autoincrement=False),
    Column("period", String(10), nullable=False),
    Column("allowance", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    CheckConstraint("allowance >= 0", name="allowance_not_negative"),
    CheckConstraint("granted >= 0", name="granted_not_negative"),
    CheckConstraint("held >= 0", name="held_not_negative"),
)

budgets = Table(
    "budgets",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("held", Integer, nullable=False),
    Column("captured", Integer, nullable=False),
    CheckConstraint("held >= 0", name="held_not_negative"),
    CheckConstraint("captured >= 0", name="captured_not_negative"),
)

# When a member, and a community (as its member 0), last got a slot. Written by nothing but claims, which take turns.
turns = Table(
    "turns",
    metadata,
    _snowflake("community_id", key="guild_id", primary_key=True, autoincrement=False),
    _snowflake("member_id", primary_key=True, autoincrement=False),
    Column("served_at", UtcDateTime, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    _id(primary_key=True),
    _snowflake("interaction_id", nullable=False),
    _snowflake("application_id", nullable=False),
    _snowflake("community_id", key="guild_id", nullable=False),
    _snowflake("channel_id", nullable=False),
    _snowflake("member_id", nullable=False),
    _snowflake("message_id"),
    Column("token", Text),
    Column("upload_limit", Integer, nullable=False),
    Column("model", String(64), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("price", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("provider", String(32)),
    Column("fault", String(32)),
    Column("charged", Integer),
    Column("cancel_refused", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("cancel_requested_at", UtcDateTime),
    Column("submitted_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    # The worker that sees to it; no foreign key, for a worker's row goes when the worker does.
    _id("owner"),
    Column("delivery", String(12)),
    Column("direct_at", UtcDateTime),
    Column("reconcile_at", UtcDateTime),
    Column("private", Boolean, nullable=False, server_default=false()),
    Column("locale", String(16), nullable=False, server_default=DEFAULT_LOCALE),
    Column("prepared", Boolean, nullable=False, server_default=true()),
    # What it was made from; no foreign key, so that a parent can be forgotten and its children stay.
    Column("action", String(12)),
    _id("parent_id"),
    Column("parent_picture", Integer),
    Column("deleted_at", UtcDateTime),
    UniqueConstraint("interaction_id"),
    CheckConstraint("price > 0", name="price_positive"),
    CheckConstraint("charged >= 0 AND charged <= price", name="charged_within_price"),
)
# Partial indexes: what is looked up all the time is the few live jobs among the many old ones.
Index(
    "ix_jobs_live",
    jobs.c.state,
    jobs.c.guild_id,
    jobs.c.member_id,
    jobs.c.created_at,
    jobs.c.id,
    sqlite_where=jobs.c.finished_at.is_(None),
    postgresql_where=jobs.c.finished_at.is_(None),
)
Index(
    "ix_jobs_undelivered",
    jobs.c.created_at,
    sqlite_where=jobs.c.delivered_at.is_(None),
    postgresql_where=jobs.c.delivered_at.is_(None),
)
Index(
    "ix_jobs_token",
    jobs.c.created_at,
    sqlite_where=jobs.c.token.is_not(None),
    postgresql_where=jobs.c.token.is_not(None),
)
Index(
    "ix_jobs_reconcile_at",
    jobs.c.reconcile_at,
    sqlite_where=jobs.c.reconcile_at.is_not(None),
    postgresql_where=jobs.c.reconcile_at.is_not(None),
)
Index("ix_jobs_member", jobs.c.guild_id, jobs.c.member_id, jobs.c.id)
Index("ix_jobs_anywhere", jobs.c.member_id, jobs.c.id)
Index(
    "ix_jobs_parent",
    jobs.c.parent_id,
    jobs.c.id,
    sqlite_where=jobs.c.parent_id.is_not(None),
    postgresql_where=jobs.c.parent_id.is_not(None),
)
Index("ix_jobs_model_finished_at", jobs.c.model, jobs.c.state, jobs.c.finished_at)

attempts = Table(
    "attempts",
    metadata,
    _id("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("fault", String(32)),
    Column("handle", Text),
    Column("record_id", Text),
    Column("cost", Integer),
    Column("result", JSON, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("webhook_hash", String(64)),
)
Index(
    "ix_attempts_webhook_hash",
    attempts.c.webhook_hash,
    unique=True,
    sqlite_where=attempts.c.webhook_hash.is_not(None),
    postgresql_where=attempts.c.webhook_hash.is_not(None),
)

pictures = Table(
    "pictures",
    metadata,
    _id("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
)
Index("ix_pictures_sha256", pictures.c.sha256)
Index(
    "ix_pictures_stored_at",
    pictures.c.stored_at,
    sqlite_where=pictures.c.removed_at.is_(None),
    postgresql_where=pictures.c.removed_at.is_(None),
)

# The pictures that jobs start from. `url` is a secret and erased at the job's end; so is the token of the address under
# which providers may fetch a picture from us, of which only the hash is here.
inputs = Table(
    "inputs",
    metadata,
    _id("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", Text),
    _id("parent_id"),
    Column("parent_picture", Integer),
    Column("sha256", String(64)),
    Column("media_type", String(32)),
    Column("width", Integer),
    Column("height", Integer),
    Column("size", BigInteger),
    Column("token_hash", String(64)),
    Column("stored_at", UtcDateTime),
    Column("removed_at", UtcDateTime),
)
Index("ix_inputs_sha256", inputs.c.sha256)
Index(
    "ix_inputs_token_hash",
    inputs.c.token_hash,
    unique=True,
    sqlite_where=inputs.c.token_hash.is_not(None),
    postgresql_where=inputs.c.token_hash.is_not(None),
)
Index(
    "ix_inputs_url",
    inputs.c.job_id,
    sqlite_where=inputs.c.url.is_not(None),
    postgresql_where=inputs.c.url.is_not(None),
)
Index(
    "ix_inputs_stored_at",
    inputs.c.stored_at,
    sqlite_where=inputs.c.removed_at.is_(None),
    postgresql_where=inputs.c.removed_at.is_(None),
)

# Requests that wait for their member's word, because they cost more than the member wants to spend unasked.
drafts = Table(
    "drafts",
    metadata,
    _id(primary_key=True),
    _snowflake("community_id", key="guild_id", nullable=False),
    _snowflake("member_id", nullable=False),
    Column("prompt", Text, nullable=False),
    Column("model", String(64), nullable=False),
    Column("options", JSON, nullable=False),
    Column("price", Integer, nullable=False),
    Column("action", String(12)),
    _id("parent_id"),
    Column("parent_picture", Integer),
    Column("private", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_drafts_created_at", drafts.c.created_at)

# What was filled into forms that were refused, for a day.
forms = Table(
    "forms",
    metadata,
    _id(primary_key=True),
    _snowflake("member_id", nullable=False),
    Column("content", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_forms_created_at", forms.c.created_at)

# What a member has when they choose nothing, wherever they are; None where they leave it to the studio.
preferences = Table(
    "preferences",
    metadata,
    _snowflake("member_id", primary_key=True, autoincrement=False),
    Column("model", String(64)),
    Column("aspect_ratio", String(8)),
    Column("format", String(8)),
    Column("private", Boolean),
    Column("confirm_over", Integer),
    Column("updated_at", UtcDateTime, nullable=False),
)

# Options with a prompt template, by name: a member's own (community 0), or a community's (member 0).
presets = Table(
    "presets",
    metadata,
    _snowflake("community_id", key="guild_id", primary_key=True, autoincrement=False),
    _snowflake("member_id", primary_key=True, autoincrement=False),
    # The name as it is looked up: in small letters, composed.
    Column("key", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("template", Text, nullable=False),
    Column("options", JSON, nullable=False),
    _snowflake("saved_by", nullable=False),
    Column("saved_at", UtcDateTime, nullable=False),
    # Kept for a while, so that deleting can be undone.
    Column("deleted_at", UtcDateTime),
)

holds = Table(
    "holds",
    metadata,
    _id("job_id", ForeignKey("jobs.id"), primary_key=True),
    _snowflake("community_id", key="guild_id", nullable=False),
    _snowflake("member_id", nullable=False),
    Column("allowance", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("period", String(10), nullable=False),
    Column("month", String(7), nullable=False),
    CheckConstraint("allowance >= 0 AND granted >= 0 AND allowance + granted > 0", name="amount_positive"),
)

movements = Table(
    "movements",
    metadata,
    _id(primary_key=True),
    _snowflake("community_id", key="guild_id", nullable=False),
    _snowflake("member_id", nullable=False),
    Column("kind", String(16), nullable=False),
    _id("job_id", ForeignKey("jobs.id")),
    # The hold that this movement ends: unique, so at most one capture or release a hold.
    _id("settles", ForeignKey("holds.job_id")),
    _snowflake("actor_id", nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("settles"),
    CheckConstraint("(kind IN ('capture', 'release')) = (settles IS NOT NULL)", name="settles_when_ending_a_hold"),
)
Index("ix_movements_community_id_member_id_at", movements.c.guild_id, movements.c.member_id, movements.c.at)

postings = Table(
    "postings",
    metadata,
    _id("movement_id", ForeignKey("movements.id"), primary_key=True),
    Column("book", String(12), primary_key=True),
    Column("period", String(10), nullable=False),
    Column("amount", Integer, nullable=False),
    CheckConstraint("amount <> 0", name="amount_not_zero"),
)
