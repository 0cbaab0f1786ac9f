"""Deletion time of presets, so that a deletion can be undone."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("presets", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
