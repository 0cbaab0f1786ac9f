"""Challenges, their entries and votes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from bot.domain.bans import BanScope
from bot.domain.errors import ChallengeGoneError
from bot.domain.outbox import MessageKind
from bot.domain.sharing.challenges import TRANSITIONS, Challenge, ChallengeState, Entry
from bot.domain.sharing.submissions import LIVE, SubmissionState
from db.bans import select_banned
from db.dialects import insert as upsert
from db.outbox import OutboxRepository
from db.tables import challenge_entries, challenge_votes, challenges, submissions

_COLUMNS: Final = [column.label(column.key) for column in challenges.c if column.key != "due_at"]
_BY_ID: Final = select(*_COLUMNS).where(challenges.c.id == bindparam("the_id"))
_RUNNING: Final = challenges.c.state.in_([state.value for state, after in TRANSITIONS.items() if after])
# A hidden entry may come back, with its votes.
_IN_VOTE: Final = (SubmissionState.APPROVED, SubmissionState.HIDDEN)
_APPROVED: Final = submissions.c.state == SubmissionState.APPROVED.value


class ChallengeRepository:
    """Challenges within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, challenge: Challenge) -> None:
        """Store a new challenge."""
        values = {column.key: getattr(challenge, column.key) for column in challenges.c}
        self._connection.execute(insert(challenges).values(values | {"state": challenge.state.value}))

    def get(self, challenge_id: str, *, lock: bool = False) -> Challenge:
        """Return a challenge; `lock` locks its row.

        Raises:
            ChallengeGoneError: there is no such challenge.
        """
        statement = _BY_ID.with_for_update() if lock else _BY_ID
        row = self._connection.execute(statement, {"the_id": challenge_id}).first()
        if row is None:
            raise ChallengeGoneError
        return _from_row(row)

    def list_running(self, guild_id: int) -> tuple[Challenge, ...]:
        """Return the challenges of a guild before their end, oldest first."""
        statement = select(*_COLUMNS).where(challenges.c.guild_id == guild_id, _RUNNING).order_by(challenges.c.id)
        return tuple(map(_from_row, self._connection.execute(statement)))

    def list_due(self, now: datetime, most: int) -> list[str]:
        """Return the challenges with an ended phase, longest ended first."""
        due = select(challenges.c.id).where(challenges.c.due_at <= now).order_by(challenges.c.due_at).limit(most)
        return list(self._connection.execute(due).scalars())

    def move(self, challenge: Challenge, to: ChallengeState, *, ends_at: datetime | None = None) -> bool:
        """Move a challenge on; return False if it moved meanwhile.

        `ends_at` is a new end of its vote.
        """
        ends_at = ends_at or challenge.ends_at
        due_at = ends_at if to is ChallengeState.VOTING else None
        same = (challenges.c.id == challenge.id) & (challenges.c.state == challenge.state.value)
        values = {"state": to.value, "due_at": due_at, "ends_at": ends_at}
        return self._connection.execute(update(challenges).where(same).values(values)).rowcount == 1

    def postpone(self, challenge_id: str, due_at: datetime) -> None:
        """Put off the end of a challenge's phase."""
        self._connection.execute(update(challenges).where(challenges.c.id == challenge_id).values(due_at=due_at))

    def set_paid(self, challenge_id: str, paid: int) -> None:
        """Record the credits that the winners got."""
        self._connection.execute(update(challenges).where(challenges.c.id == challenge_id).values(paid=paid))

    def enter(self, challenge_id: str, member_id: int, submission_id: str) -> None:
        """Store a member's entry, in place of an earlier one."""
        values = {"submission_id": submission_id, "number": None}
        key = {"challenge_id": challenge_id, "member_id": member_id}
        statement = upsert(self._connection, challenge_entries).values(key | values)
        index = [challenge_entries.c.challenge_id, challenge_entries.c.member_id]
        self._connection.execute(statement.on_conflict_do_update(index_elements=index, set_=values))

    def has_live_entry(self, challenge_id: str, member_id: int) -> bool:
        """Return whether a member's entry waits or is approved."""
        live = submissions.c.state.in_([each.value for each in LIVE])
        own = (challenge_entries.c.challenge_id == challenge_id) & (challenge_entries.c.member_id == member_id)
        statement = select(submissions.c.id).join(
            challenge_entries, challenge_entries.c.submission_id == submissions.c.id
        )
        return self._connection.execute(statement.where(own, live)).first() is not None

    def find_of(self, submission_id: str) -> str | None:
        """Return the challenge of a submission, or None."""
        entry = challenge_entries.c.submission_id == submission_id
        return self._connection.execute(select(challenge_entries.c.challenge_id).where(entry)).scalar()

    def get_of(self, submission_id: str) -> Challenge | None:
        """Return the challenge that a submission is an entry of, or None."""
        entry = challenge_entries.c.submission_id == submission_id
        of_challenge = challenges.c.id == challenge_entries.c.challenge_id
        statement = select(*_COLUMNS).join(challenge_entries, of_challenge).where(entry)
        row = self._connection.execute(statement).one_or_none()
        return None if row is None else _from_row(row)

    def count_entries(self, challenge_id: str) -> dict[SubmissionState, int]:
        """Return the numbers of entries by the state of their submissions."""
        statement = (
            select(submissions.c.state, func.count().label("number"))
            .join(challenge_entries, challenge_entries.c.submission_id == submissions.c.id)
            .where(challenge_entries.c.challenge_id == challenge_id)
            .group_by(submissions.c.state)
        )
        return {SubmissionState(row.state): row.number for row in self._connection.execute(statement)}

    def list_submissions(self, challenge_id: str, states: Collection[SubmissionState]) -> list[str]:
        """Return the submissions of entries in one of the states, oldest first."""
        statement = (
            select(submissions.c.id)
            .join(challenge_entries, challenge_entries.c.submission_id == submissions.c.id)
            .where(challenge_entries.c.challenge_id == challenge_id)
            .where(submissions.c.state.in_([each.value for each in states]))
            .order_by(submissions.c.id)
        )
        return list(self._connection.execute(statement).scalars())

    def list_approved(self, challenge: Challenge, now: datetime) -> list[str]:
        """Return the submissions of approved entries, oldest first.

        Those of banned members are left out.
        """
        statement = (
            select(submissions.c.id)
            .join(challenge_entries, challenge_entries.c.submission_id == submissions.c.id)
            .where(challenge_entries.c.challenge_id == challenge.id, _APPROVED, _not_banned(challenge, now))
            .order_by(submissions.c.id)
        )
        return list(self._connection.execute(statement).scalars())

    def number_entries(self, challenge_id: str, submission_ids: Sequence[str]) -> None:
        """Store the order of a vote's entries, counted from 1."""
        of_challenge = challenge_entries.c.challenge_id == challenge_id
        for number, submission_id in enumerate(submission_ids, 1):
            entry = of_challenge & (challenge_entries.c.submission_id == submission_id)
            self._connection.execute(update(challenge_entries).where(entry).values(number=number))

    def list_entries(self, challenge: Challenge, now: datetime) -> tuple[Entry, ...]:
        """Return the entries of a running vote with their votes, by number.

        Those withdrawn, hidden or taken down are left out, and so are the entries and the votes of banned members.
        """
        challenge_id = challenge.id
        banned = select_banned(challenge.guild_id, now, BanScope.STUDIO, BanScope.SHARING)
        counted = (
            select(challenge_votes.c.number, func.count().label("votes"))
            .where(challenge_votes.c.challenge_id == challenge_id, challenge_votes.c.member_id.not_in(banned))
            .group_by(challenge_votes.c.number)
            .subquery()
        )
        statement = (
            select(
                challenge_entries.c.number,
                challenge_entries.c.submission_id,
                challenge_entries.c.member_id,
                func.coalesce(counted.c.votes, 0).label("votes"),
            )
            .join(submissions, submissions.c.id == challenge_entries.c.submission_id)
            .outerjoin(counted, counted.c.number == challenge_entries.c.number)
            .where(challenge_entries.c.challenge_id == challenge_id, challenge_entries.c.number.is_not(None), _APPROVED)
            .where(_not_banned(challenge, now))
            .order_by(challenge_entries.c.number)
        )
        return tuple(
            Entry(number=row.number, submission_id=row.submission_id, member_id=row.member_id, votes=row.votes)
            for row in self._connection.execute(statement)
        )

    def settle(self, challenge_id: str, entries: Sequence[Entry]) -> None:
        """Store the counts of entries, and delete the votes.

        What happens to a voter or an entry later changes no result.
        """
        of_challenge = challenge_entries.c.challenge_id == challenge_id
        for entry in entries:
            one = of_challenge & (challenge_entries.c.number == entry.number)
            self._connection.execute(update(challenge_entries).where(one).values(votes=entry.votes))
        self.remove_votes(challenge_id)

    def remove_votes(self, challenge_id: str) -> None:
        """Delete the votes of a challenge."""
        self._connection.execute(delete(challenge_votes).where(challenge_votes.c.challenge_id == challenge_id))

    def list_results(self, challenge_id: str) -> tuple[Entry, ...]:
        """Return the entries with their votes at the end, by number."""
        columns = (challenge_entries.c[each] for each in ("number", "submission_id", "member_id", "votes"))
        counted = (challenge_entries.c.challenge_id == challenge_id) & challenge_entries.c.votes.is_not(None)
        statement = select(*columns).where(counted).order_by(challenge_entries.c.number)
        return tuple(Entry(**row._mapping) for row in self._connection.execute(statement))

    def list_votes(self, challenge: Challenge, member_id: int, now: datetime) -> tuple[int, ...]:
        """Return the numbers of the entries with a member's vote.

        A vote for one withdrawn or taken down, or of a member banned since, is free again.
        """
        challenge_id = challenge.id
        own = (challenge_votes.c.challenge_id == challenge_id) & (challenge_votes.c.member_id == member_id)
        entered = (challenge_entries.c.challenge_id == challenge_votes.c.challenge_id) & (
            challenge_entries.c.number == challenge_votes.c.number
        )
        statement = (
            select(challenge_votes.c.number)
            .join(challenge_entries, entered)
            .join(submissions, submissions.c.id == challenge_entries.c.submission_id)
            .where(own, submissions.c.state.in_([each.value for each in _IN_VOTE]), _not_banned(challenge, now))
            .order_by(challenge_votes.c.number)
        )
        return tuple(self._connection.execute(statement).scalars())

    def count_voters(self, challenge_id: str) -> int:
        """Return how many members have voted."""
        voters = select(func.count(challenge_votes.c.member_id.distinct()))
        return self._connection.execute(voters.where(challenge_votes.c.challenge_id == challenge_id)).scalar_one()

    def set_vote(self, challenge_id: str, member_id: int, number: int, at: datetime) -> None:
        """Store a member's vote for an entry; a second one changes nothing."""
        values = {"challenge_id": challenge_id, "member_id": member_id, "number": number, "at": at}
        self._connection.execute(upsert(self._connection, challenge_votes).values(values).on_conflict_do_nothing())

    def remove_vote(self, challenge_id: str, member_id: int, number: int) -> bool:
        """Remove a member's vote for an entry; return False if there is none."""
        vote = (
            (challenge_votes.c.challenge_id == challenge_id)
            & (challenge_votes.c.member_id == member_id)
            & (challenge_votes.c.number == number)
        )
        return self._connection.execute(delete(challenge_votes).where(vote)).rowcount == 1

    def erase_guild(self, guild_id: int) -> None:
        """Delete the challenges of a guild, with their votes and messages."""
        ids = list(self._connection.execute(select(challenges.c.id).where(challenges.c.guild_id == guild_id)).scalars())
        OutboxRepository(self._connection).remove((MessageKind.CHALLENGE,), ids)
        for table in (challenge_votes, challenge_entries):
            self._connection.execute(delete(table).where(table.c.challenge_id.in_(ids)))
        self._connection.execute(delete(challenges).where(challenges.c.id.in_(ids)))


def _not_banned(challenge: Challenge, now: datetime) -> ColumnElement[bool]:
    """Return the condition of an entry without a ban of its member."""
    banned = select_banned(challenge.guild_id, now, BanScope.STUDIO, BanScope.SHARING)
    return challenge_entries.c.member_id.not_in(banned)


def _from_row(row: Row[Any]) -> Challenge:
    return Challenge(**{**row._mapping, "state": ChallengeState(row.state)})
