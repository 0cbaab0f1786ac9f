"""When the bot arrived in a guild, and when a left guild was erased."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; the first start records the present guilds."""
    for name in ("arrived_at", "erased_at"):
        op.add_column("communities", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
