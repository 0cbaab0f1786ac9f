"""Duels, their models and votes."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the column; earlier jobs belong to no duel."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "duels",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("opened_at", time, nullable=True),
        sa.Column("ends_at", time, nullable=True),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("shown_at", time, nullable=True),
        sa.Column("counts", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("hours > 0", name=op.f("ck_duels_hours_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duels")),
    )
    unshown = sa.text("shown_at IS NULL")
    op.create_index("ix_duels_unshown", "duels", ["ends_at"], sqlite_where=unshown, postgresql_where=unshown)
    op.create_index("ix_duels_community_id", "duels", ["community_id", "id"])
    op.create_index("ix_duels_member_id", "duels", ["member_id"])
    op.create_table(
        "duel_entries",
        sa.Column("duel_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=True),
        sa.CheckConstraint("votes >= 0", name=op.f("ck_duel_entries_votes_not_negative")),
        sa.ForeignKeyConstraint(["duel_id"], ["duels.id"], name=op.f("fk_duel_entries_duel_id")),
        sa.PrimaryKeyConstraint("duel_id", "position", name=op.f("pk_duel_entries")),
    )
    op.create_table(
        "duel_votes",
        sa.Column("duel_id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.ForeignKeyConstraint(["duel_id"], ["duels.id"], name=op.f("fk_duel_votes_duel_id")),
        sa.PrimaryKeyConstraint("duel_id", "member_id", name=op.f("pk_duel_votes")),
    )
    op.create_index("ix_duel_votes_member_id", "duel_votes", ["member_id"])
    op.add_column("jobs", sa.Column("duel_id", sa.String(length=32), nullable=True))
