"""Members' reports of pictures."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from db.columns import UtcDateTime, guild_id, id_column, metadata, partial_index, snowflake

# All reports of a job until a moderator decides. A job has one open case at most.
report_cases = Table(
    "report_cases",
    metadata,
    id_column(primary_key=True),
    guild_id(nullable=False),
    id_column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    snowflake("closed_by"),
    Column("outcome", String(12)),
    # From then on the job's public card shows no pictures, while the case is open.
    Column("hidden_at", UtcDateTime),
)
_IS_OPEN = report_cases.c.closed_at.is_(None)
partial_index("ix_report_cases_open", report_cases.c.job_id, unique=True, where=_IS_OPEN)
Index("ix_report_cases_job_id", report_cases.c.job_id)

# The position is that of a picture; None is the whole job. Words are the member's, erased with their other data.
reports = Table(
    "reports",
    metadata,
    id_column("case_id", ForeignKey("report_cases.id"), primary_key=True),
    snowflake("member_id", primary_key=True, autoincrement=False),
    Column("position", Integer),
    Column("reason", String(12), nullable=False),
    Column("words", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("ix_reports_member_id", reports.c.member_id, reports.c.at)
