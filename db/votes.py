"""Votes for submissions, and the picks of a week."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from bot.domain.outbox import MessageKind
from bot.domain.sharing.submissions import SubmissionState
from db.dialects import insert
from db.tables import outbox_messages, picks, submissions, votes

_COUNT: Final = select(func.count()).select_from(votes).where(votes.c.submission_id == bindparam("the_submission"))


class VoteRepository:
    """Votes within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self, submission_id: str, member_id: int, guild_id: int, at: datetime, *, by_reaction: bool = False
    ) -> bool:
        """Store a vote; return False if the member has voted already."""
        values = {"submission_id": submission_id, "member_id": member_id, "guild_id": guild_id, "at": at}
        values["by_reaction"] = by_reaction
        statement = insert(self._connection, votes).values(values).on_conflict_do_nothing()
        return self._connection.execute(statement).rowcount == 1

    def set_way(self, submission_id: str, member_id: int, *, by_reaction: bool) -> bool:
        """Record a vote's other way; return False if it has this one."""
        other = (votes.c.submission_id == submission_id) & (votes.c.member_id == member_id)
        other &= votes.c.by_reaction != by_reaction
        return self._connection.execute(update(votes).where(other).values(by_reaction=by_reaction)).rowcount == 1

    def remove(self, submission_id: str, member_id: int) -> bool:
        """Delete a vote; return False if there is none."""
        own = (votes.c.submission_id == submission_id) & (votes.c.member_id == member_id)
        return self._connection.execute(delete(votes).where(own)).rowcount == 1

    def count(self, submission_id: str) -> int:
        """Return a submission's votes."""
        return self._connection.execute(_COUNT, {"the_submission": submission_id}).scalar_one()

    def list_posts(self, guild_id: int, most: int) -> list[tuple[str, int, int]]:
        """Return a guild's latest posts: submission, channel and message."""
        wanted = (
            select(submissions.c.id, outbox_messages.c.channel_id, outbox_messages.c.message_id)
            .join(outbox_messages, outbox_messages.c.subject_id == submissions.c.id)
            .where(
                outbox_messages.c.kind == MessageKind.SHOWCASE.value,
                outbox_messages.c.message_id.is_not(None),
                submissions.c.guild_id == guild_id,
                submissions.c.state == SubmissionState.APPROVED.value,
            )
            .order_by(submissions.c.id.desc())
            .limit(most)
        )
        return [(row.id, row.channel_id, row.message_id) for row in self._connection.execute(wanted)]

    def list_voters(self, submission_id: str) -> dict[int, bool]:
        """Return the members with a vote for a submission, true if by a reaction."""
        wanted = select(votes.c.member_id, votes.c.by_reaction).where(votes.c.submission_id == submission_id)
        return {row.member_id: row.by_reaction for row in self._connection.execute(wanted)}

    def list_leading(self, guild_id: int, since: datetime, until: datetime, most: int) -> list[tuple[str, int]]:
        """Return the approved submissions with most votes of a time.

        Of equal ones the earlier submission comes first.
        """
        number = func.count().label("number")
        of_time = (votes.c.at >= since) & (votes.c.at < until)
        wanted = (
            select(votes.c.submission_id, number)
            .join(submissions, submissions.c.id == votes.c.submission_id)
            .where(votes.c.guild_id == guild_id, of_time, submissions.c.state == SubmissionState.APPROVED.value)
            .group_by(votes.c.submission_id)
            .order_by(number.desc(), votes.c.submission_id)
            .limit(most)
        )
        return [(row.submission_id, row.number) for row in self._connection.execute(wanted)]


class PickRepository:
    """Picks of weeks within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, guild_id: int, week: int, chosen: Sequence[tuple[str, int]]) -> bool:
        """Store a week's picks, best first; return False if it has some."""
        rows = [
            {"guild_id": guild_id, "week": week, "place": place, "submission_id": submission_id, "votes": number}
            for place, (submission_id, number) in enumerate(chosen, 1)
        ]
        first = insert(self._connection, picks).values(rows[0]).on_conflict_do_nothing()
        if self._connection.execute(first).rowcount != 1:
            return False
        for row in rows[1:]:
            self._connection.execute(insert(self._connection, picks).values(row))
        return True

    def list_of_week(self, guild_id: int, week: int) -> list[tuple[str, int]]:
        """Return a week's picks with their votes, best first."""
        of_week = (picks.c.guild_id == guild_id) & (picks.c.week == week)
        wanted = select(picks.c.submission_id, picks.c.votes).where(of_week).order_by(picks.c.place)
        return [(row.submission_id, row.votes) for row in self._connection.execute(wanted)]

    def refresh(self, submission_ids: Collection[str], at: datetime) -> None:
        """Make the posts of picks with these submissions due again."""
        wanted = select(picks.c.guild_id, picks.c.week).where(picks.c.submission_id.in_(list(submission_ids)))
        for row in self._connection.execute(wanted.distinct()).all():
            of_week = (
                (outbox_messages.c.kind == MessageKind.PICKS.value)
                & (outbox_messages.c.guild_id == row.guild_id)
                & (outbox_messages.c.number == row.week)
            )
            again = {"wanted": outbox_messages.c.wanted + 1, "due_at": at, "tries": 0}
            self._connection.execute(update(outbox_messages).where(of_week).values(again))
