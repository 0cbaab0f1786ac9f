"""Direct messages about decisions, and the setting for them."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("outbox_messages", sa.Column("direct_at", sa.DateTime(timezone=True), nullable=True))
    is_direct = sa.text("direct_at IS NOT NULL")
    op.create_index(
        "ix_outbox_messages_direct_at",
        "outbox_messages",
        ["direct_at"],
        sqlite_where=is_direct,
        postgresql_where=is_direct,
    )
    op.add_column("preferences", sa.Column("decisions", sa.Boolean(), nullable=True))
