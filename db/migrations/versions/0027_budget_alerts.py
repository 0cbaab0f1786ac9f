"""Alerts about budgets to owners, log channels and a webhook."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_SENT = """
INSERT INTO budget_alerts (community_id, month, target, percentage, sent, tries, due_at)
SELECT community_id, month, 'owner', alert_logged, alert_sent, 0, CURRENT_TIMESTAMP FROM budgets
WHERE community_id = 0 AND alert_logged > 0
"""


def upgrade() -> None:
    """Add the table; alerts that were sent are not sent again."""
    op.create_table(
        "budget_alerts",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("target", sa.String(length=8), nullable=False),
        sa.Column("percentage", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("community_id", "month", "target", name=op.f("pk_budget_alerts")),
    )
    unsent = sa.text("percentage > sent")
    op.create_index(
        "ix_budget_alerts_due_at", "budget_alerts", ["due_at"], sqlite_where=unsent, postgresql_where=unsent
    )
    op.execute(_SENT)
    with op.batch_alter_table("budgets") as table:
        table.drop_column("alert_sent")
        table.alter_column("alert_logged", new_column_name="alerted")
