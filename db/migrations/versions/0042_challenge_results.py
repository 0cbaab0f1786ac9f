"""Results of challenges: the counts at the end, without the votes."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; ended challenges get their counts, and lose their votes."""
    op.add_column("challenge_entries", sa.Column("votes", sa.Integer(), nullable=True))
    op.execute(
        """
        UPDATE challenge_entries SET votes = (
            SELECT count(*) FROM challenge_votes
            WHERE challenge_votes.challenge_id = challenge_entries.challenge_id
            AND challenge_votes.number = challenge_entries.number
        )
        WHERE number IS NOT NULL
        AND challenge_id IN (SELECT id FROM challenges WHERE state = 'ended')
        AND submission_id IN (SELECT id FROM submissions WHERE state = 'approved')
        """
    )
    op.execute(
        """
        DELETE FROM challenge_votes
        WHERE challenge_id IN (SELECT id FROM challenges WHERE state IN ('ended', 'cancelled'))
        """
    )


def downgrade() -> None:
    """Remove the column; the votes are gone."""
    op.drop_column("challenge_entries", "votes")
