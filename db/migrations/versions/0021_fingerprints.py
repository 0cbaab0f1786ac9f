"""Fingerprints of result images, to find copies of them."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the index table."""
    op.add_column("pictures", sa.Column("fingerprint", sa.String(length=64), nullable=True))
    op.create_table(
        "fingerprint_keys",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_fingerprint_keys_job_id")),
        sa.PrimaryKeyConstraint("key", "job_id", "position", name=op.f("pk_fingerprint_keys")),
    )
    op.create_index("ix_fingerprint_keys_job_id", "fingerprint_keys", ["job_id"], unique=False)
