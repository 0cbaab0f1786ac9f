"""Submissions to showcases."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.errors import SubmissionNotFoundError
from bot.domain.jobs import Job, State
from bot.domain.outbox import MessageKind, guild_subject
from bot.domain.sharing.challenges import TRANSITIONS as CHALLENGE_TRANSITIONS
from bot.domain.sharing.submissions import (
    AWAITING_REVIEW,
    LIVE,
    Flag,
    FlagKind,
    MemberRecord,
    QueueSummary,
    Submission,
    SubmissionOptions,
    SubmissionState,
    check_transition,
)
from db.jobs import JobRepository
from db.outbox import OutboxRepository
from db.reports import HIDDEN_JOBS
from db.tables import (
    challenge_entries,
    challenges,
    duels,
    jobs,
    outbox_messages,
    pictures,
    submission_pictures,
    submissions,
)
from db.votes import PickRepository

_OF_SUBMISSION: Final = (MessageKind.REVIEW, MessageKind.SHOWCASE, MessageKind.NOTICE)
_COLUMNS: Final = [column.label(column.key) for column in submissions.c]
# Built once: building a statement costs several times as much as running it.
_BY_ID: Final = select(*_COLUMNS).where(submissions.c.id == bindparam("the_id"))
_POSITIONS: Final = (
    select(submission_pictures.c.submission_id, submission_pictures.c.position)
    .where(submission_pictures.c.submission_id.in_(bindparam("the_ids", expanding=True)))
    .order_by(submission_pictures.c.submission_id, submission_pictures.c.position)
)
_LIVE_OF_JOB: Final = (
    select(submission_pictures.c.position, submission_pictures.c.submission_id)
    .where(submission_pictures.c.job_id == bindparam("the_job"), submission_pictures.c.is_live)
    .order_by(submission_pictures.c.position)
)
_KEPT: Final = select(pictures.c.position).where(
    pictures.c.job_id == bindparam("the_job"), pictures.c.removed_at.is_(None)
)
_AWAITS_REVIEW: Final = submissions.c.state.in_([each.value for each in AWAITING_REVIEW])
_REFUSALS: Final = (SubmissionState.REFUSED.value, SubmissionState.TAKEN_DOWN.value)
_IS_LIVE: Final = submissions.c.state.in_([each.value for each in LIVE])
_IS_RESTRICTED: Final = or_(submissions.c.is_age_restricted, jobs.c.age_restricted)


class SubmissionRepository:
    """Submissions within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, submission: Submission) -> bool:
        """Store a submission; return False if a picture is live already."""
        options = submission.options
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    insert(submissions).values(
                        id=submission.id,
                        guild_id=submission.guild_id,
                        member_id=submission.member_id,
                        job_id=submission.job_id,
                        is_age_restricted=submission.is_age_restricted,
                        flags=_flag_values(submission.flags),
                        state=submission.state.value,
                        revision=submission.revision,
                        created_at=submission.created_at,
                        waiting_since=submission.waiting_since,
                        at=submission.at,
                        decided_by=submission.decided_by,
                        reason=submission.reason,
                        **_option_values(options),
                    )
                )
                self._insert_pictures(submission.id, submission.job_id, submission.positions)
        except IntegrityError:
            return False
        return True

    def get(self, submission_id: str, *, lock: bool = False) -> Submission:
        """Return a submission; `lock` locks its row.

        Raises:
            SubmissionNotFoundError: there is no such submission.
        """
        statement = _BY_ID.with_for_update() if lock else _BY_ID
        row = self._connection.execute(statement, {"the_id": submission_id}).first()
        if row is None:
            raise SubmissionNotFoundError
        return self._from_rows([row])[0]

    def move(
        self,
        submission: Submission,
        to: SubmissionState,
        at: datetime,
        *,
        decided_by: int | None = None,
        reason: str = "",
        is_spoiler: bool | None = None,
    ) -> bool:
        """Move a submission on; return False if its state or revision changed.

        A claim ends. `is_spoiler` replaces the member's choice.

        Raises:
            SubmissionStateError: the transition is illegal.
        """
        check_transition(submission.state, to)
        values: dict[str, Any] = {
            "state": to.value,
            "revision": submission.revision + 1,
            "at": at,
            "claimed_by": None,
            "claimed_until": None,
            "decided_by": decided_by,
            "reason": reason,
        }
        if is_spoiler is not None:
            values["is_spoiler"] = is_spoiler
        if to is SubmissionState.WAITING:
            values["waiting_since"] = at
        moved = update(submissions).where(_same(submission)).values(values)
        if self._connection.execute(moved).rowcount != 1:
            return False
        if not to.is_live:
            of_submission = submission_pictures.c.submission_id == submission.id
            self._connection.execute(update(submission_pictures).where(of_submission).values(is_live=False))
        return True

    def revise(
        self, submission: Submission, options: SubmissionOptions, positions: Sequence[int], flags: Sequence[Flag]
    ) -> bool:
        """Store other choices and pictures of a submission before it moves.

        Return False if one of the pictures is in another live submission.
        """
        of_submission = submission_pictures.c.submission_id == submission.id
        try:
            with self._connection.begin_nested():
                self._connection.execute(submission_pictures.delete().where(of_submission))
                self._insert_pictures(submission.id, submission.job_id, positions)
        except IntegrityError:
            return False
        changed = update(submissions).where(_same(submission))
        self._connection.execute(changed.values(flags=_flag_values(flags), **_option_values(options)))
        return True

    def set_flags(self, submission_id: str, flags: Sequence[Flag]) -> None:
        """Store a submission's flags."""
        changed = update(submissions).where(submissions.c.id == submission_id)
        self._connection.execute(changed.values(flags=_flag_values(flags)))

    def claim(self, submission: Submission, moderator_id: int, until: datetime, now: datetime) -> bool:
        """Claim a submission.

        Return False if another moderator has the claim, or the submission moved on.
        """
        free = or_(
            submissions.c.claimed_by.is_(None),
            submissions.c.claimed_by == moderator_id,
            submissions.c.claimed_until <= now,
        )
        claimed = update(submissions).where(_same(submission), free)
        result = self._connection.execute(claimed.values(claimed_by=moderator_id, claimed_until=until))
        return result.rowcount == 1

    def release_claim(self, submission_id: str, moderator_id: int) -> bool:
        """End a moderator's claim; return False if there is none."""
        own = (submissions.c.id == submission_id) & (submissions.c.claimed_by == moderator_id)
        released = update(submissions).where(own).values(claimed_by=None, claimed_until=None)
        return self._connection.execute(released).rowcount == 1

    def list_live(self, job_id: str) -> dict[int, str]:
        """Return the live submissions of a job's pictures, by position."""
        rows = self._connection.execute(_LIVE_OF_JOB, {"the_job": job_id})
        return {row.position: row.submission_id for row in rows}

    def find_refused(self, guild_id: int, job_id: str, positions: Collection[int]) -> Submission | None:
        """Return the latest refused or taken down submission of these pictures."""
        of_pictures = exists().where(
            submission_pictures.c.submission_id == submissions.c.id,
            submission_pictures.c.position.in_(list(positions)),
        )
        statement = select(*_COLUMNS).where(
            submissions.c.job_id == job_id,
            submissions.c.guild_id == guild_id,
            submissions.c.state.in_(_REFUSALS),
            of_pictures,
        )
        row = self._connection.execute(statement.order_by(submissions.c.at.desc()).limit(1)).first()
        return None if row is None else self._from_rows([row])[0]

    def list_of_job(self, job_id: str, *, live: bool = False, lock: bool = False) -> tuple[Submission, ...]:
        """Return a job's submissions, latest first.

        `live`: the live ones. `lock` locks them.
        """
        statement = select(*_COLUMNS).where(submissions.c.job_id == job_id).order_by(submissions.c.id.desc())
        if live:
            statement = statement.where(submissions.c.state.in_([each.value for each in LIVE]))
        if lock:
            statement = statement.with_for_update()
        return self._from_rows(self._connection.execute(statement).all())

    def list_unnamed_pictures(self, guild_id: int, member_id: int) -> list[tuple[str, str | None]]:
        """Return hashes and fingerprints of a member's unnamed pictures.

        They were shared anonymously, or are entries of a challenge before its end.
        """
        blind = (
            select(challenge_entries.c.submission_id)
            .join(challenges, challenges.c.id == challenge_entries.c.challenge_id)
            .where(challenges.c.state.in_([state.value for state, after in CHALLENGE_TRANSITIONS.items() if after]))
        )
        wanted = (
            select(pictures.c.sha256, pictures.c.fingerprint)
            .join(
                submission_pictures,
                (submission_pictures.c.job_id == pictures.c.job_id)
                & (submission_pictures.c.position == pictures.c.position),
            )
            .join(submissions, submissions.c.id == submission_pictures.c.submission_id)
            .where(
                submissions.c.guild_id == guild_id,
                submissions.c.member_id == member_id,
                submissions.c.is_anonymous | submissions.c.id.in_(blind),
            )
        )
        return [(row.sha256, row.fingerprint) for row in self._connection.execute(wanted)]

    def list_of_member(
        self, guild_id: int, member_id: int, *, limit: int, before: str | None = None
    ) -> tuple[Submission, ...]:
        """Return a member's submissions in a guild, latest first.

        `before` is the last id of the page before.
        """
        own = (submissions.c.guild_id == guild_id) & (submissions.c.member_id == member_id)
        statement = select(*_COLUMNS).where(own).order_by(submissions.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(submissions.c.id < before)
        return self._from_rows(self._connection.execute(statement).all())

    def list_awaiting_review(
        self, guild_id: int, *, limit: int, after: tuple[datetime, str] | None = None
    ) -> tuple[Submission, ...]:
        """Return submissions to be reviewed, longest waiting first.

        `after` is the waiting time and id of the last one of the page before.
        """
        statement = select(*_COLUMNS).where(submissions.c.guild_id == guild_id, _AWAITS_REVIEW)
        if after is not None:
            since, last = after
            later = (submissions.c.waiting_since > since) | (
                (submissions.c.waiting_since == since) & (submissions.c.id > last)
            )
            statement = statement.where(later)
        order = (submissions.c.waiting_since, submissions.c.id)
        return self._from_rows(self._connection.execute(statement.order_by(*order).limit(limit)).all())

    def count_waiting(self, guild_id: int, member_id: int) -> int:
        """Return how many submissions of a member wait for a moderator."""
        own = (submissions.c.guild_id == guild_id) & (submissions.c.member_id == member_id)
        statement = select(func.count()).select_from(submissions).where(own, _AWAITS_REVIEW)
        return self._connection.execute(statement).scalar_one()

    def queue(self, guild_id: int) -> QueueSummary:
        """Return a summary of a guild's review queue."""
        numbers = select(func.count().label("waiting"), func.min(submissions.c.waiting_since).label("oldest"))
        row = self._connection.execute(numbers.where(submissions.c.guild_id == guild_id, _AWAITS_REVIEW)).one()
        return QueueSummary(waiting=row.waiting, oldest=row.oldest)

    def list_shareable(
        self, guild_id: int, member_id: int, *, limit: int, restricted: bool
    ) -> tuple[tuple[Job, int], ...]:
        """Return a member's kept pictures in no live submission, latest first.

        Each is its job and its position. Those of duels before their end, those hidden after reports, and those that
        the moderators refused are left out. Without `restricted`, those of age-restricted channels are left out.
        """
        is_live = exists().where(
            submission_pictures.c.job_id == pictures.c.job_id,
            submission_pictures.c.position == pictures.c.position,
            submission_pictures.c.is_live,
        )
        is_refused = exists().where(
            submissions.c.job_id == pictures.c.job_id,
            submissions.c.guild_id == guild_id,
            submissions.c.state.in_(_REFUSALS),
            submission_pictures.c.submission_id == submissions.c.id,
            submission_pictures.c.position == pictures.c.position,
        )
        conditions = [
            jobs.c.guild_id == guild_id,
            jobs.c.member_id == member_id,
            jobs.c.state == State.DONE.value,
            jobs.c.deleted_at.is_(None),
            pictures.c.removed_at.is_(None),
            ~is_live,
            ~is_refused,
            jobs.c.id.not_in(HIDDEN_JOBS),
            jobs.c.duel_id.is_(None) | jobs.c.duel_id.not_in(select(duels.c.id).where(duels.c.ended_at.is_(None))),
        ]
        if not restricted:
            conditions.append(jobs.c.age_restricted.is_(False))
        found = (
            select(pictures.c.job_id, pictures.c.position)
            .join(jobs, jobs.c.id == pictures.c.job_id)
            .where(*conditions)
            .order_by(jobs.c.id.desc(), pictures.c.position)
            .limit(limit)
        )
        rows = self._connection.execute(found).all()
        by_id = {
            each.id: each for each in JobRepository(self._connection).list_by_id(list({row.job_id for row in rows}))
        }
        return tuple((by_id[row.job_id], row.position) for row in rows)

    def queues(self) -> dict[int, QueueSummary]:
        """Return the summaries of all guilds' queues with entries."""
        numbers = select(
            submissions.c.guild_id,
            func.count().label("waiting"),
            func.min(submissions.c.waiting_since).label("oldest"),
        )
        rows = self._connection.execute(numbers.where(_AWAITS_REVIEW).group_by(submissions.c.guild_id))
        return {row.guild_id: QueueSummary(waiting=row.waiting, oldest=row.oldest) for row in rows}

    def list_ids_awaiting_review(self, guild_id: int) -> list[str]:
        """Return the ids of all submissions to be reviewed in a guild."""
        statement = select(submissions.c.id).where(submissions.c.guild_id == guild_id, _AWAITS_REVIEW)
        return list(self._connection.execute(statement).scalars())

    def record_of(self, guild_id: int, member_id: int) -> MemberRecord:
        """Return a member's submissions in a guild, by their outcome."""
        own = (submissions.c.guild_id == guild_id) & (submissions.c.member_id == member_id)
        statement = select(submissions.c.state, func.count().label("number")).where(own).group_by(submissions.c.state)
        numbers = {row.state: row.number for row in self._connection.execute(statement)}
        return MemberRecord(
            approved=numbers.get(SubmissionState.APPROVED, 0) + numbers.get(SubmissionState.HIDDEN, 0),
            refused=numbers.get(SubmissionState.REFUSED, 0),
            taken_down=numbers.get(SubmissionState.TAKEN_DOWN, 0),
        )

    def list_restricted_places(self) -> list[tuple[int, int]]:
        """Return guilds and channels with age-restricted pictures.

        A forum's post is a channel, too.
        """
        posted = (
            select(outbox_messages.c.guild_id, outbox_messages.c.channel_id)
            .distinct()
            .join(submissions, submissions.c.id == outbox_messages.c.subject_id)
            .join(jobs, jobs.c.id == submissions.c.job_id)
            .where(
                outbox_messages.c.kind.in_([MessageKind.SHOWCASE.value, MessageKind.REVIEW.value]),
                outbox_messages.c.message_id.is_not(None),
                _IS_LIVE,
                _IS_RESTRICTED,
            )
        )
        in_challenges = (
            select(challenges.c.guild_id, challenges.c.channel_id)
            .distinct()
            .join(challenge_entries, challenge_entries.c.challenge_id == challenges.c.id)
            .join(submissions, submissions.c.id == challenge_entries.c.submission_id)
            .join(jobs, jobs.c.id == submissions.c.job_id)
            .where(_IS_LIVE, _IS_RESTRICTED)
        )
        found = [*self._connection.execute(posted), *self._connection.execute(in_challenges)]
        return sorted({(row.guild_id, row.channel_id) for row in found})

    def list_restricted_guilds(self) -> list[int]:
        """Return the guilds with live submissions of age-restricted pictures."""
        of_jobs = select(submissions.c.guild_id).distinct().join(jobs, jobs.c.id == submissions.c.job_id)
        return list(self._connection.execute(of_jobs.where(_IS_LIVE, _IS_RESTRICTED)).scalars())

    def list_restricted(self, guild_id: int) -> list[str]:
        """Return a guild's live submissions of age-restricted pictures."""
        of_guild = select(submissions.c.id).join(jobs, jobs.c.id == submissions.c.job_id)
        statement = of_guild.where(submissions.c.guild_id == guild_id, _IS_LIVE, _IS_RESTRICTED)
        return list(self._connection.execute(statement).scalars())

    def withdraw_all(self, job_ids: Sequence[str], at: datetime) -> list[str]:
        """Withdraw the live submissions of deleted jobs, and erase titles.

        Return the ids of their submissions: their messages are to be removed.
        """
        of_jobs = submissions.c.job_id.in_(list(job_ids))
        found = list(self._connection.execute(select(submissions.c.id).where(of_jobs)).scalars())
        if not found:
            return []
        is_live = submissions.c.state.in_([each.value for each in LIVE])
        withdrawn = {
            "state": SubmissionState.WITHDRAWN.value,
            "revision": submissions.c.revision + 1,
            "at": at,
            "claimed_by": None,
            "claimed_until": None,
            "decided_by": None,
        }
        self._connection.execute(update(submissions).where(of_jobs, is_live).values(withdrawn))
        self._connection.execute(update(submissions).where(of_jobs).values(title=""))
        of_submissions = submission_pictures.c.submission_id.in_(found)
        self._connection.execute(update(submission_pictures).where(of_submissions).values(is_live=False))
        return found

    def drop_pictures(self, job_id: str, positions: Collection[int], at: datetime) -> list[str]:
        """Take removed pictures out of live submissions of a job.

        A submission without another kept picture is withdrawn. Return the ids of the changed ones.
        """
        changed = []
        kept = set(self._connection.execute(_KEPT, {"the_job": job_id}).scalars()) - set(positions)
        for each in self.list_of_job(job_id, live=True):
            if set(positions).isdisjoint(each.positions):
                continue
            if kept.isdisjoint(each.positions):
                self.move(each, SubmissionState.WITHDRAWN, at)
            else:
                dropped = submission_pictures.c.position.in_(list(positions))
                of_submission = submission_pictures.c.submission_id == each.id
                self._connection.execute(submission_pictures.delete().where(of_submission, dropped))
            changed.append(each.id)
        return changed

    def _insert_pictures(self, submission_id: str, job_id: str, positions: Sequence[int]) -> None:
        rows = [
            {"submission_id": submission_id, "job_id": job_id, "position": position, "is_live": True}
            for position in positions
        ]
        self._connection.execute(insert(submission_pictures), rows)

    def _from_rows(self, rows: Sequence[Row[Any]]) -> tuple[Submission, ...]:
        if not rows:
            return ()
        positions: dict[str, list[int]] = {row.id: [] for row in rows}
        for each in self._connection.execute(_POSITIONS, {"the_ids": list(positions)}):
            positions[each.submission_id].append(each.position)
        return tuple(_from_row(row, tuple(positions[row.id])) for row in rows)


def _same(submission: Submission) -> Any:
    return (
        (submissions.c.id == submission.id)
        & (submissions.c.state == submission.state.value)
        & (submissions.c.revision == submission.revision)
    )


def _flag_values(flags: Sequence[Flag]) -> list[dict[str, str]]:
    return [{"kind": flag.kind.value, "detail": flag.detail} for flag in flags]


def _option_values(options: SubmissionOptions) -> dict[str, Any]:
    return {
        "title": options.title,
        "show_prompt": options.show_prompt,
        "is_anonymous": options.is_anonymous,
        "is_spoiler": options.is_spoiler,
    }


def _from_row(row: Row[Any], positions: tuple[int, ...]) -> Submission:
    return Submission(
        id=row.id,
        guild_id=row.guild_id,
        member_id=row.member_id,
        job_id=row.job_id,
        positions=positions,
        options=SubmissionOptions(
            title=row.title,
            show_prompt=row.show_prompt,
            is_anonymous=row.is_anonymous,
            is_spoiler=row.is_spoiler,
        ),
        is_age_restricted=row.is_age_restricted,
        flags=tuple(Flag(kind=FlagKind(each["kind"]), detail=each["detail"]) for each in row.flags),
        state=SubmissionState(row.state),
        revision=row.revision,
        created_at=row.created_at,
        waiting_since=row.waiting_since,
        at=row.at,
        claimed_by=row.claimed_by,
        claimed_until=row.claimed_until,
        decided_by=row.decided_by,
        reason=row.reason,
    )


def refresh_review(connection: Connection, guild_id: int, at: datetime) -> None:
    """Post the cards of a guild's waiting submissions, or move them."""
    outbox = OutboxRepository(connection)
    outbox.refresh((MessageKind.REVIEW,), SubmissionRepository(connection).list_ids_awaiting_review(guild_id), at)
    outbox.refresh((MessageKind.QUEUE,), [guild_subject(guild_id)], at)


def withdraw_shared(connection: Connection, job_ids: Sequence[str], at: datetime) -> None:
    """Withdraw the submissions of deleted jobs; their messages follow."""
    refresh_messages(connection, SubmissionRepository(connection).withdraw_all(job_ids, at), at)


def refresh_messages(connection: Connection, submission_ids: Sequence[str], at: datetime) -> None:
    """Make all messages with these submissions due again."""
    if not submission_ids:
        return
    outbox = OutboxRepository(connection)
    outbox.refresh(_OF_SUBMISSION, submission_ids, at)
    PickRepository(connection).refresh(submission_ids, at)
    entered = challenge_entries.c.submission_id.in_(submission_ids)
    entered_ids = connection.execute(select(challenge_entries.c.challenge_id).where(entered)).scalars().all()
    outbox.refresh((MessageKind.CHALLENGE,), entered_ids, at)


def drop_shared(connection: Connection, job_id: str, positions: Collection[int], at: datetime) -> None:
    """Take pictures of a job out of its submissions; their messages follow."""
    refresh_messages(connection, SubmissionRepository(connection).drop_pictures(job_id, positions, at), at)
