"""Members' reports of pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "report_cases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_report_cases_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_cases")),
    )
    is_open = sa.text("closed_at IS NULL")
    op.create_index(
        "ix_report_cases_open", "report_cases", ["job_id"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_index("ix_report_cases_job_id", "report_cases", ["job_id"])
    op.create_table(
        "reports",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["report_cases.id"], name=op.f("fk_reports_case_id")),
        sa.PrimaryKeyConstraint("case_id", "member_id", name=op.f("pk_reports")),
    )
    op.create_index("ix_reports_member_id", "reports", ["member_id", "at"])
