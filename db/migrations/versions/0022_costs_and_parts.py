"""Decimal costs of attempts with their source, and parts of a job."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace whole credits by decimal costs; an old job has one part."""
    op.add_column("attempts", sa.Column("batch", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("attempts", sa.Column("part", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("attempts", sa.Column("images", sa.Integer(), nullable=True))
    op.add_column("attempts", sa.Column("cost_nanos", sa.BigInteger(), nullable=True))
    op.add_column("attempts", sa.Column("cost_currency", sa.String(length=8), nullable=True))
    op.add_column("attempts", sa.Column("cost_source", sa.String(length=12), nullable=True))
    op.execute("UPDATE attempts SET batch = number")
    op.execute(
        "UPDATE attempts SET cost_nanos = CAST(cost AS BIGINT) * 1000000000, cost_currency = 'credits',"
        " cost_source = 'reported' WHERE cost IS NOT NULL"
    )
    op.drop_column("attempts", "cost")
