"""Live jobs by member: how many of theirs wait, and whose turn it is, without reading what they had before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index anew."""
    op.drop_index("ix_jobs_live", "jobs")
    op.create_index(
        "ix_jobs_live",
        "jobs",
        ["state", "community_id", "member_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
