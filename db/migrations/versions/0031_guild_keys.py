"""Provider keys of guilds, and their jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns; earlier jobs used the operator's keys."""
    op.create_table(
        "guild_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("ciphertext", sa.Text(), nullable=False),
        sa.Column("set_by", sa.BigInteger(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.String(length=32), nullable=True),
        sa.Column("report_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guild_keys")),
    )
    in_use = sa.text("retired_at IS NULL")
    op.create_index(
        "ix_guild_keys_community_id_provider",
        "guild_keys",
        ["community_id", "provider"],
        unique=True,
        sqlite_where=in_use,
        postgresql_where=in_use,
    )
    op.add_column("jobs", sa.Column("own_key", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("attempts", sa.Column("key_id", sa.String(length=32), nullable=True))
