"""Changes that sanitizing made to an input image, for its card."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("inputs", sa.Column("changes", sa.String(length=64), nullable=True))
