"""Purchases at Discord."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "entitlements",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=True),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("noted_at", time, nullable=False),
        sa.Column("ends_at", time, nullable=True),
        sa.Column("consumed_at", time, nullable=True),
        sa.Column("revoked_at", time, nullable=True),
        sa.Column("to_take_back", sa.Integer(), nullable=False, server_default="0"),
        sa.CheckConstraint("granted > 0", name=op.f("ck_entitlements_granted_positive")),
        sa.CheckConstraint("to_take_back >= 0", name=op.f("ck_entitlements_to_take_back_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlements")),
    )
    op.create_index("ix_entitlements_member_id", "entitlements", ["member_id"])
    op.create_index("ix_entitlements_community_id", "entitlements", ["community_id"])
