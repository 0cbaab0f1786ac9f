"""Submissions to showcases, settings for them, and an outbox of messages."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "sharing_settings",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("review", sa.String(12), nullable=False),
        sa.Column("trusted_roles", sa.JSON(), nullable=False),
        sa.Column("allows_anonymous", sa.Boolean(), nullable=False),
        sa.Column("refusal_reasons", sa.JSON(), nullable=False),
        sa.Column("report_threshold", sa.Integer(), nullable=False),
        sa.Column("reminder_hours", sa.Integer(), nullable=False),
        sa.Column("votes", sa.String(12), nullable=False),
        sa.Column("voter_roles", sa.JSON(), nullable=False),
        sa.CheckConstraint("report_threshold >= 0", name=op.f("ck_sharing_settings_report_threshold_not_negative")),
        sa.CheckConstraint("reminder_hours >= 0", name=op.f("ck_sharing_settings_reminder_hours_not_negative")),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_sharing_settings")),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("show_prompt", sa.Boolean(), nullable=False),
        sa.Column("is_anonymous", sa.Boolean(), nullable=False),
        sa.Column("is_spoiler", sa.Boolean(), nullable=False),
        sa.Column("is_age_restricted", sa.Boolean(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("waiting_since", time, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("claimed_by", sa.BigInteger(), nullable=True),
        sa.Column("claimed_until", time, nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_submissions_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
    )
    op.create_index("ix_submissions_job_id", "submissions", ["job_id"])
    op.create_index("ix_submissions_community_id_member_id", "submissions", ["community_id", "member_id", "id"])
    awaits_review = sa.text("state IN ('waiting', 'hidden')")
    op.create_index(
        "ix_submissions_awaiting_review",
        "submissions",
        ["community_id", "waiting_since", "id"],
        sqlite_where=awaits_review,
        postgresql_where=awaits_review,
    )
    op.create_table(
        "submission_pictures",
        sa.Column("submission_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_submission_pictures_submission_id")
        ),
        sa.PrimaryKeyConstraint("submission_id", "position", name=op.f("pk_submission_pictures")),
    )
    is_live = sa.text("is_live")
    op.create_index(
        "ix_submission_pictures_live",
        "submission_pictures",
        ["job_id", "position"],
        unique=True,
        sqlite_where=is_live,
        postgresql_where=is_live,
    )
    op.create_table(
        "outbox_messages",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("subject_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("claimed_until", time, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("begun_at", time, nullable=True),
        sa.Column("ended", sa.String(12), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_messages")),
    )
    op.create_index("ix_outbox_messages_subject", "outbox_messages", ["kind", "subject_id", "number"], unique=True)
    is_due = sa.text("wanted > shown")
    op.create_index(
        "ix_outbox_messages_due_at",
        "outbox_messages",
        ["due_at"],
        sqlite_where=is_due,
        postgresql_where=is_due,
    )
