"""Takedowns of single pictures, and cards hidden after reports."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; earlier takedowns are of whole jobs."""
    op.add_column("takedown_jobs", sa.Column("positions", sa.String(length=64), nullable=True))
    op.add_column("report_cases", sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True))
