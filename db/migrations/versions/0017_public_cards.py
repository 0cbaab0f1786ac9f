"""Public cards of private jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("jobs", sa.Column("public_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("public_message_id", sa.BigInteger(), nullable=True))
