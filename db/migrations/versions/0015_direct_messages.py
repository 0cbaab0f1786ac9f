"""Index of direct messages, for their limit per hour."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "ix_jobs_direct_at",
        "jobs",
        ["direct_at"],
        unique=False,
        sqlite_where=sa.text("direct_at IS NOT NULL"),
        postgresql_where=sa.text("direct_at IS NOT NULL"),
    )
