"""Counts of fatal decodings."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("decode_tries", sa.Integer(), server_default=sa.text("0"), nullable=False))
