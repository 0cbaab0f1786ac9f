"""The number of resets of an account, and at the time of each hold."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no account was reset before."""
    for table in ("accounts", "holds"):
        op.add_column(table, sa.Column("resets", sa.Integer(), nullable=False, server_default="0"))
