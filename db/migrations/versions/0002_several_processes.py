"""Workers, delivery channels, webhooks and late results."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, columns and indexes."""
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.add_column("jobs", sa.Column("owner", sa.String(length=32), nullable=True))
    op.add_column("jobs", sa.Column("delivery", sa.String(length=12), nullable=True))
    op.add_column("jobs", sa.Column("direct_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("reconcile_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attempts", sa.Column("webhook_hash", sa.String(length=64), nullable=True))
    op.create_index(
        "ix_jobs_reconcile_at",
        "jobs",
        ["reconcile_at"],
        unique=False,
        sqlite_where=sa.text("reconcile_at IS NOT NULL"),
        postgresql_where=sa.text("reconcile_at IS NOT NULL"),
    )
    op.create_index("ix_jobs_member", "jobs", ["community_id", "member_id", "id"], unique=False)
    op.create_index(
        "ix_attempts_webhook_hash",
        "attempts",
        ["webhook_hash"],
        unique=True,
        sqlite_where=sa.text("webhook_hash IS NOT NULL"),
        postgresql_where=sa.text("webhook_hash IS NOT NULL"),
    )
