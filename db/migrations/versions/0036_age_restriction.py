"""Flag of jobs from age-restricted channels."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the channels of earlier jobs are unknown."""
    op.add_column("jobs", sa.Column("age_restricted", sa.Boolean(), server_default=sa.false(), nullable=False))
