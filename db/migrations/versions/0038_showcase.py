"""Votes, weekly picks, and the attached files of messages."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the column."""
    op.add_column("outbox_messages", sa.Column("content", sa.String(100), nullable=True))
    op.create_table(
        "votes",
        sa.Column("submission_id", sa.String(32), nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_votes_submission_id")),
        sa.PrimaryKeyConstraint("submission_id", "member_id", name=op.f("pk_votes")),
    )
    op.create_index("ix_votes_community_id_at", "votes", ["community_id", "at"])
    op.create_index("ix_votes_member_id", "votes", ["member_id"])
    op.create_table(
        "picks",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("week", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("submission_id", sa.String(32), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_picks_submission_id")),
        sa.PrimaryKeyConstraint("community_id", "week", "place", name=op.f("pk_picks")),
    )
    op.create_index("ix_picks_submission_id", "picks", ["submission_id"])
