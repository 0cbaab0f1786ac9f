"""Rules for prompts, and their matches."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the settings."""
    op.create_table(
        "prompt_rules",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("set_by", sa.BigInteger(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_rules")),
    )
    op.create_index("ix_prompt_rules_community_id", "prompt_rules", ["community_id", "id"])
    op.create_table(
        "prompt_blocks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("field", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("is_dry", sa.Boolean(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_blocks")),
    )
    op.create_index("ix_prompt_blocks_member", "prompt_blocks", ["community_id", "member_id", "at"])
    op.create_index("ix_prompt_blocks_at", "prompt_blocks", ["at"])
    op.add_column("communities", sa.Column("block_limit", sa.Integer(), nullable=True))
    op.add_column("communities", sa.Column("block_hours", sa.Integer(), nullable=True))
    op.add_column("communities", sa.Column("block_ban_hours", sa.Integer(), nullable=True))
    op.add_column("communities", sa.Column("rules_version", sa.String(length=32), nullable=True))
