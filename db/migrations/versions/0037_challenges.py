"""Challenges, their entries and votes."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "challenges",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("closes_at", time, nullable=False),
        sa.Column("ends_at", time, nullable=False),
        sa.Column("due_at", time, nullable=True),
        sa.Column("prize", sa.Integer(), nullable=False),
        sa.Column("paid", sa.Integer(), nullable=True),
        sa.Column("is_age_restricted", sa.Boolean(), nullable=False),
        sa.CheckConstraint("prize >= 0", name=op.f("ck_challenges_prize_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenges")),
    )
    op.create_index("ix_challenges_due_at", "challenges", ["due_at"])
    op.create_index("ix_challenges_community_id", "challenges", ["community_id", "id"])
    op.create_table(
        "challenge_entries",
        sa.Column("challenge_id", sa.String(32), nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("submission_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"], name=op.f("fk_challenge_entries_challenge_id")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_challenge_entries_submission_id")),
        sa.PrimaryKeyConstraint("challenge_id", "member_id", name=op.f("pk_challenge_entries")),
        sa.UniqueConstraint("submission_id", name=op.f("uq_challenge_entries_submission_id")),
    )
    op.create_table(
        "challenge_votes",
        sa.Column("challenge_id", sa.String(32), nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"], name=op.f("fk_challenge_votes_challenge_id")),
        sa.PrimaryKeyConstraint("challenge_id", "member_id", "number", name=op.f("pk_challenge_votes")),
    )
