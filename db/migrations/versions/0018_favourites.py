"""Favourites, and an index to count a member's history."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_LISTED = sa.text("finished_at IS NOT NULL AND deleted_at IS NULL")
_FAVOURITE = sa.text("favourite_at IS NOT NULL")


def upgrade() -> None:
    """Add the column and the indexes."""
    op.add_column("jobs", sa.Column("favourite_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_jobs_listed",
        "jobs",
        ["member_id", "community_id", "id"],
        unique=False,
        sqlite_where=_LISTED,
        postgresql_where=_LISTED,
    )
    op.create_index(
        "ix_jobs_favourite",
        "jobs",
        ["member_id", "id"],
        unique=False,
        sqlite_where=_FAVOURITE,
        postgresql_where=_FAVOURITE,
    )
