"""Erased words, exports and deletions of members' data."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column with its indexes, and the tables."""
    op.add_column("jobs", sa.Column("words_erased_at", sa.DateTime(timezone=True), nullable=True))
    for name, column, condition in (
        ("ix_jobs_worded", "finished_at", "delivered_at"),
        ("ix_jobs_deleted_words", "deleted_at", "deleted_at"),
    ):
        has_words = sa.text(f"words_erased_at IS NULL AND {condition} IS NOT NULL")
        op.create_index(name, "jobs", [column], sqlite_where=has_words, postgresql_where=has_words)
    op.create_table(
        "exports",
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("sending", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_exports")),
    )
    op.create_table(
        "deletions",
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_deletions")),
    )
