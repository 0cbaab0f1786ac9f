"""Takedowns of pictures, and the search for jobs by their input images."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the index."""
    op.create_table(
        "takedowns",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("refuses", sa.Boolean(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_takedowns")),
        sa.UniqueConstraint("code", name=op.f("uq_takedowns_code")),
    )
    is_open = sa.text("finished_at IS NULL")
    op.create_index("ix_takedowns_open", "takedowns", ["at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "takedown_pictures",
        sa.Column("takedown_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["takedown_id"], ["takedowns.id"], name=op.f("fk_takedown_pictures_takedown_id")),
        sa.PrimaryKeyConstraint("takedown_id", "number", name=op.f("pk_takedown_pictures")),
    )
    op.create_index("ix_takedown_pictures_sha256", "takedown_pictures", ["sha256"])
    op.create_table(
        "takedown_keys",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("takedown_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["takedown_id"], ["takedowns.id"], name=op.f("fk_takedown_keys_takedown_id")),
        sa.PrimaryKeyConstraint("key", "takedown_id", "number", name=op.f("pk_takedown_keys")),
    )
    op.create_table(
        "takedown_jobs",
        sa.Column("takedown_id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_takedown_jobs_job_id")),
        sa.ForeignKeyConstraint(["takedown_id"], ["takedowns.id"], name=op.f("fk_takedown_jobs_takedown_id")),
        sa.PrimaryKeyConstraint("takedown_id", "job_id", name=op.f("pk_takedown_jobs")),
    )
    op.create_index("ix_takedown_jobs_job_id", "takedown_jobs", ["job_id"])
    has_parent = sa.text("parent_id IS NOT NULL")
    op.create_index(
        "ix_inputs_parent_id",
        "inputs",
        ["parent_id", "parent_picture"],
        sqlite_where=has_parent,
        postgresql_where=has_parent,
    )
