"""Address of an input image that its job's card shows."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("inputs", sa.Column("provider_url", sa.Text(), nullable=True))
    op.create_index(
        "ix_inputs_provider_url",
        "inputs",
        ["job_id"],
        unique=False,
        sqlite_where=sa.text("provider_url IS NOT NULL"),
        postgresql_where=sa.text("provider_url IS NOT NULL"),
    )
