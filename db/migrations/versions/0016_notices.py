"""Notices: messages to a member when their job is done."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and their index."""
    op.add_column("preferences", sa.Column("notice", sa.String(length=8), nullable=True))
    op.add_column("jobs", sa.Column("notice", sa.String(length=8), nullable=True))
    op.add_column("jobs", sa.Column("notice_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_jobs_notice_at",
        "jobs",
        ["notice_at"],
        unique=False,
        sqlite_where=sa.text("notice_at IS NOT NULL"),
        postgresql_where=sa.text("notice_at IS NOT NULL"),
    )
