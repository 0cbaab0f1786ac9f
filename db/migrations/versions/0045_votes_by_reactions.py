"""The way of a vote: buttons, or reactions."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; votes of servers with reactions were given by those."""
    op.add_column("votes", sa.Column("by_reaction", sa.Boolean(), server_default=sa.false(), nullable=False))
    votes = sa.table("votes", sa.column("by_reaction", sa.Boolean()), sa.column("community_id"))
    settings = sa.table("sharing_settings", sa.column("community_id"), sa.column("votes", sa.String()))
    with_reactions = sa.select(settings.c.community_id).where(settings.c.votes == "reactions")
    op.execute(sa.update(votes).where(votes.c.community_id.in_(with_reactions)).values(by_reaction=True))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("votes", "by_reaction")
