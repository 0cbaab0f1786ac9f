"""Appeals against refused prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "prompt_appeals",
        sa.Column("block_id", sa.String(32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("appealed_at", time, nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", time, nullable=True),
        sa.PrimaryKeyConstraint("block_id", name=op.f("pk_prompt_appeals")),
    )
    op.create_index("ix_prompt_appeals_member", "prompt_appeals", ["community_id", "member_id", "digest"])
    op.create_index("ix_prompt_appeals_at", "prompt_appeals", ["at"])
