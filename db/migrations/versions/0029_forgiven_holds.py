"""The holds that resets gave back, in place of the number of resets."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_FORGIVEN = """
    UPDATE holds SET forgiven = TRUE WHERE EXISTS (
        SELECT 1 FROM accounts
        WHERE accounts.community_id = holds.community_id AND accounts.member_id = holds.member_id
        AND holds.resets < accounts.resets
    )
"""


def upgrade() -> None:
    """Move the numbers to the holds: those of before the last reset."""
    op.add_column("holds", sa.Column("forgiven", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(_FORGIVEN)
    for table in ("accounts", "holds"):
        op.drop_column(table, "resets")
