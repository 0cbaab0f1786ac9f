"""Time from which a provider that refused a submit may be asked again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("attempts", sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
