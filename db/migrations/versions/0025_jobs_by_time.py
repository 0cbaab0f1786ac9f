"""Index a server's jobs by their time, for its statistics."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_jobs_community_id_created_at", "jobs", ["community_id", "created_at"], unique=False)
