"""The way of a vote, and the channel of a message's creation."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns.

    Votes of servers with reactions were given by those. Posts in forums are taken for posts of the present showcase.
    """
    op.add_column("votes", sa.Column("by_reaction", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("outbox_messages", sa.Column("home_id", sa.BigInteger(), nullable=True))
    votes = sa.table("votes", sa.column("by_reaction", sa.Boolean()), sa.column("community_id"))
    settings = sa.table("sharing_settings", sa.column("community_id"), sa.column("votes", sa.String()))
    with_reactions = sa.select(settings.c.community_id).where(settings.c.votes == "reactions")
    op.execute(sa.update(votes).where(votes.c.community_id.in_(with_reactions)).values(by_reaction=True))
    op.execute(
        """
        UPDATE outbox_messages SET home_id = (
            SELECT showcase_channel_id FROM communities WHERE communities.id = outbox_messages.community_id
        )
        WHERE kind = 'showcase' AND message_id IS NOT NULL
        """
    )


def downgrade() -> None:
    """Remove the columns."""
    op.drop_column("outbox_messages", "home_id")
    op.drop_column("votes", "by_reaction")
