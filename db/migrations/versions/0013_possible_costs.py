"""Possible costs of unpaid attempts, and the budget's alerts.

Costs of lost replies are on the ledger already; those of lost jobs and of jobs without usable images are booked here.
"""

import hashlib
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns, and book earlier possible costs."""
    op.create_table(
        "risks",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_risks_amount_positive")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_risks_job_id")),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_risks")),
    )
    op.create_index("ix_risks_member_id_booked_at", "risks", ["member_id", "booked_at"], unique=False)
    for name in ("at_risk", "alert_logged", "alert_sent"):
        op.add_column("budgets", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    _book_earlier_costs(op.get_bind())


# In the order of preference: a lost reply has its movement, the others get one. An attempt says what happened: a job
# that no provider accepted has none that is lost or failed for these reasons. Movements have no index by job: IN reads
# them once, EXISTS would read them once per job.
_EARLIER = """
SELECT jobs.id AS job_id, jobs.price, holds.month,
    attempts.number,
    jobs.id IN (SELECT job_id FROM movements WHERE kind = 'unknown_cost' AND job_id IS NOT NULL) AS is_booked,
    EXISTS (SELECT 1 FROM pictures WHERE pictures.job_id = jobs.id) AS came_late
FROM jobs
JOIN holds ON holds.job_id = jobs.id
JOIN attempts ON attempts.job_id = jobs.id
    AND attempts.number = (SELECT max(number) FROM attempts AS latest WHERE latest.job_id = jobs.id)
WHERE jobs.state IN ('failed', 'lost') AND (
    jobs.id IN (SELECT job_id FROM movements WHERE kind = 'unknown_cost')
    OR attempts.outcome = 'lost'
    OR (attempts.outcome = 'failed' AND attempts.fault IN ('no_pictures', 'malformed', 'not_found', 'storage'))
)
ORDER BY jobs.id
"""


def _book_earlier_costs(connection: sa.Connection) -> None:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in connection.execute(sa.text(_EARLIER)).mappings().all():
        if not row["is_booked"]:
            _add_movement(connection, row, "unknown_cost", {"unknown": row["price"], "issued": -row["price"]})
        if row["came_late"]:
            _add_movement(connection, row, "risk_owed", {"unknown": -row["price"], "owed": row["price"]})
        connection.execute(
            sa.text(
                "INSERT INTO risks (job_id, number, member_id, month, amount, cause, booked_at, outcome, decided_at)"
                " SELECT id, :number, member_id, :month, price, fault, finished_at, :outcome,"
                " CASE WHEN :is_decided = 1 THEN finished_at END FROM jobs WHERE id = :job_id"
            ),
            {
                "job_id": row["job_id"],
                "number": row["number"],
                "month": row["month"],
                "outcome": "owed" if row["came_late"] else None,
                "is_decided": 1 if row["came_late"] else 0,
            },
        )
        sums[row["month"]][bool(row["came_late"])] += row["price"]
    for month, (at_risk, owed) in sums.items():
        connection.execute(
            sa.text("UPDATE budgets SET at_risk = :at_risk, captured = captured + :owed WHERE month = :month"),
            {"at_risk": at_risk, "owed": owed, "month": month},
        )


def _add_movement(connection: sa.Connection, job: Any, kind: str, amounts: dict[str, int]) -> None:
    # Ids are ordered by time: the job's own beginning, then digits that no other movement has.
    digits = hashlib.sha256(f"{job['job_id']} {kind}".encode()).hexdigest()
    movement_id = job["job_id"][:12] + digits[:20]
    connection.execute(
        sa.text(
            "INSERT INTO movements (id, community_id, member_id, kind, job_id, settles, actor_id, reason, at)"
            " SELECT :id, community_id, member_id, :kind, id, NULL, 0, fault, finished_at FROM jobs WHERE id = :job_id"
        ),
        {"id": movement_id, "kind": kind, "job_id": job["job_id"]},
    )
    for book, amount in amounts.items():
        connection.execute(
            sa.text("INSERT INTO postings (movement_id, book, period, amount) VALUES (:id, :book, '', :amount)"),
            {"id": movement_id, "book": book, "amount": amount},
        )
