"""Accounts, budgets, holds, movements and possible costs."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from db.columns import UtcDateTime, guild_id, id_column, metadata, partial_index, snowflake

accounts = Table(
    "accounts",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("period", String(10), nullable=False),
    Column("allowance", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    # The allowance used in the period, holds included, and the whole one in force: None is unlimited.
    Column("spent", Integer, nullable=False, server_default="0"),
    Column("issued", Integer, server_default="0"),
    CheckConstraint("allowance >= 0", name="allowance_not_negative"),
    CheckConstraint("granted >= 0", name="granted_not_negative"),
    CheckConstraint("held >= 0", name="held_not_negative"),
)

# Guild 0 is all guilds together: the operator's budget.
budgets = Table(
    "budgets",
    metadata,
    guild_id(primary_key=True, autoincrement=False, server_default="0"),
    Column("month", String(7), primary_key=True),
    Column("held", Integer, nullable=False),
    Column("captured", Integer, nullable=False),
    Column("at_risk", Integer, nullable=False, server_default="0"),
    # The highest percentage with an alert.
    Column("alerted", Integer, nullable=False, server_default="0"),
    CheckConstraint("held >= 0", name="held_not_negative"),
    CheckConstraint("captured >= 0", name="captured_not_negative"),
)

# The highest percentage for each recipient, and the highest that was sent.
budget_alerts = Table(
    "budget_alerts",
    metadata,
    guild_id(primary_key=True, autoincrement=False),
    Column("month", String(7), primary_key=True),
    Column("target", String(8), primary_key=True),
    Column("percentage", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
)
_IS_UNSENT = budget_alerts.c.percentage > budget_alerts.c.sent
partial_index("ix_budget_alerts_due_at", budget_alerts.c.due_at, where=_IS_UNSENT)

holds = Table(
    "holds",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    Column("allowance", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("period", String(10), nullable=False),
    Column("month", String(7), nullable=False),
    # The role of the allowance: 0 if from the guild or the operator, None if it was the member's own.
    snowflake("role_id", server_default="0"),
    # An admin's reset gave the allowance back: the hold no longer counts as spent.
    Column("forgiven", Boolean, nullable=False, server_default=false()),
    CheckConstraint("allowance >= 0 AND granted >= 0 AND allowance + granted > 0", name="amount_positive"),
)
Index("ix_holds_community_id_member_id", holds.c.guild_id, holds.c.member_id, holds.c.job_id)

movements = Table(
    "movements",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    snowflake("member_id", nullable=False),
    Column("kind", String(16), nullable=False),
    id_column("job_id", ForeignKey("jobs.id")),
    # The hold that this movement ends. Unique: at most one capture or release per hold.
    id_column("settles", ForeignKey("holds.job_id")),
    snowflake("actor_id", nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("settles"),
    CheckConstraint("(kind IN ('capture', 'release')) = (settles IS NOT NULL)", name="settles_when_ending_a_hold"),
)
Index("ix_movements_community_id_member_id_at", movements.c.guild_id, movements.c.member_id, movements.c.at)

postings = Table(
    "postings",
    metadata,
    id_column("movement_id", ForeignKey("movements.id"), primary_key=True),
    Column("book", String(12), primary_key=True),
    Column("period", String(10), nullable=False),
    Column("amount", Integer, nullable=False),
    CheckConstraint("amount <> 0", name="amount_not_zero"),
)

# What attempts that no member pays for may have cost the operator. `month` is that of the job's hold.
risks = Table(
    "risks",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    snowflake("member_id", nullable=False),
    Column("month", String(7), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("booked_at", UtcDateTime, nullable=False),
    # The provider's later word: owed or dropped; NULL while it is open.
    Column("outcome", String(12)),
    Column("decided_at", UtcDateTime),
    CheckConstraint("amount > 0", name="amount_positive"),
)
Index("ix_risks_member_id_booked_at", risks.c.member_id, risks.c.booked_at)

# What the latest sound audit read, in one row: `db/incremental_audit.py`.
audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("full_at", UtcDateTime, nullable=False),
    Column("position", String(32), nullable=False),
    # Digests of the accounts' rows.
    Column("accounts", LargeBinary, nullable=False),
    Column("budgets", Text, nullable=False),
)
