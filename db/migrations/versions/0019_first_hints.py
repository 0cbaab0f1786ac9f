"""First-use hints: the time when a member was given theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("preferences", sa.Column("hinted_at", sa.DateTime(timezone=True), nullable=True))
