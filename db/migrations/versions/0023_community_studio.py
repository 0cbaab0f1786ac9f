"""Settings, allowances, bans, pauses and budgets of guilds, and their log."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_SPENT = """
UPDATE accounts SET spent = COALESCE((
SELECT used.spent FROM (
SELECT holds.community_id, holds.member_id, holds.period,
    SUM(CASE WHEN jobs.charged IS NULL OR jobs.charged >= holds.allowance THEN holds.allowance ELSE jobs.charged END)
    AS spent
FROM holds JOIN jobs ON jobs.id = holds.job_id GROUP BY holds.community_id, holds.member_id, holds.period
) AS used WHERE used.community_id = accounts.community_id AND used.member_id = accounts.member_id
    AND used.period = accounts.period), 0)
"""
_GUILD_BUDGETS = """
SELECT holds.community_id, holds.month,
    SUM(CASE WHEN jobs.charged IS NULL THEN holds.allowance + holds.granted ELSE 0 END) AS held,
    SUM(COALESCE(jobs.charged, 0)) AS captured
FROM holds JOIN jobs ON jobs.id = holds.job_id
WHERE holds.community_id <> 0 GROUP BY holds.community_id, holds.month
"""
_GUILD_RISKS = """
SELECT holds.community_id, risks.month,
    SUM(CASE WHEN risks.outcome = 'owed' THEN risks.amount ELSE 0 END) AS owed,
    SUM(CASE WHEN risks.outcome IS NULL THEN risks.amount ELSE 0 END) AS at_risk
FROM risks JOIN holds ON holds.job_id = risks.job_id
WHERE holds.community_id <> 0 GROUP BY holds.community_id, risks.month
"""


def upgrade() -> None:
    """Add them, and count the spent credits of members and guilds."""
    _add_settings()
    _add_tables()
    _count_spent()
    _divide_budgets()


def _add_settings() -> None:
    with op.batch_alter_table("communities") as table:
        table.add_column(sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("time_zone", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("locale", sa.String(length=16), nullable=True))
        table.add_column(sa.Column("private_results", sa.Boolean(), nullable=True))
        table.add_column(sa.Column("studio_channels", sa.JSON(), nullable=True))
        table.add_column(sa.Column("moderator_roles", sa.JSON(), nullable=True))
        table.add_column(sa.Column("review_channel_id", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("showcase_channel_id", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("log_channel_id", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("monthly_budget", sa.Integer(), nullable=True))
        table.add_column(sa.Column("budget_cap", sa.Integer(), nullable=True))
        table.create_check_constraint(op.f("ck_communities_monthly_budget_not_negative"), "monthly_budget >= 0")
        table.create_check_constraint(op.f("ck_communities_budget_cap_not_negative"), "budget_cap >= 0")


def _add_tables() -> None:
    op.create_table(
        "allowances",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.Integer(), nullable=True),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_allowances_amount_not_negative")),
        sa.CheckConstraint("role_id = 0 OR member_id = 0", name=op.f("ck_allowances_role_or_member")),
        sa.PrimaryKeyConstraint("community_id", "role_id", "member_id", name=op.f("pk_allowances")),
    )
    op.create_table(
        "access_rules",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("community_id", "kind", "name", "role_id", name=op.f("pk_access_rules")),
    )
    op.create_table(
        "bans",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "member_id", "scope", name=op.f("pk_bans")),
    )
    op.create_table(
        "pauses",
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "name", name=op.f("pk_pauses")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_community_id_at", "audit_log", ["community_id", "at", "id"])


def _count_spent() -> None:
    op.add_column("accounts", sa.Column("spent", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("issued", sa.Integer(), nullable=True, server_default="0"))
    op.add_column("holds", sa.Column("role_id", sa.BigInteger(), nullable=True, server_default="0"))
    op.create_index("ix_holds_community_id_member_id", "holds", ["community_id", "member_id", "job_id"])
    op.execute(_SPENT)
    op.execute("UPDATE accounts SET issued = allowance + spent")


def _divide_budgets() -> None:
    """Add the guild to the key, in a new table."""
    connection = op.get_bind()
    rows = [dict(row) for row in connection.execute(sa.text("SELECT * FROM budgets")).mappings()]
    divided = {(0, row["month"]): {"community_id": 0, **row} for row in rows}
    for row in connection.execute(sa.text(_GUILD_BUDGETS)):
        divided[row.community_id, row.month] = _budget(row, held=int(row.held), captured=int(row.captured))
    for row in connection.execute(sa.text(_GUILD_RISKS)):
        budget = divided.setdefault((row.community_id, row.month), _budget(row, held=0, captured=0))
        budget["captured"] += int(row.owed)
        budget["at_risk"] += int(row.at_risk)
    op.drop_table("budgets")
    table = op.create_table(
        "budgets",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False, server_default="0"),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("captured", sa.Integer(), nullable=False),
        sa.Column("at_risk", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("alert_logged", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("alert_sent", sa.Integer(), nullable=False, server_default="0"),
        sa.CheckConstraint("held >= 0", name=op.f("ck_budgets_held_not_negative")),
        sa.CheckConstraint("captured >= 0", name=op.f("ck_budgets_captured_not_negative")),
        sa.PrimaryKeyConstraint("community_id", "month", name=op.f("pk_budgets")),
    )
    if divided:
        op.bulk_insert(table, list(divided.values()))


def _budget(row: sa.Row[tuple[object, ...]], *, held: int, captured: int) -> dict[str, object]:
    return {
        "community_id": row.community_id,
        "month": row.month,
        "held": held,
        "captured": captured,
        "at_risk": 0,
        "alert_logged": 0,
        "alert_sent": 0,
    }
