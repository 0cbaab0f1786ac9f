"""Jobs and their guarded state transitions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    bindparam,
    func,
    select,
    update,
)

from bot.domain.errors import (
    DuplicateInteractionError,
    JobNotFoundError,
    StaleJobError,
)
from bot.domain.jobs import (
    LIVE,
    Delivery,
    Job,
    State,
    check_transition,
)
from bot.domain.requests import GenerationRequest
from db.accounts import AccountKey
from db.dialects import InsertUnlessThere, padded
from db.inputs import InputImageRepository
from db.job_rows import columns_of, read_job, read_jobs
from db.many_rows import ManyInserts, ManyUpdates
from db.request_codec import options_of
from db.tables import jobs

_QUEUED_STATES: Final = (State.HELD, State.SUBMITTING, State.QUEUED)
HELD: Final = (jobs.c.state == State.HELD, jobs.c.finished_at.is_(None))
"""The conditions for a job that waits for a slot."""

# Built once: building a statement costs several times as much as running it.
_INSERT: Final = ManyInserts(jobs)
_INSERT_UNLESS_THERE: Final = InsertUnlessThere(jobs, jobs.c.interaction_id)
_INTERACTIONS: Final = select(jobs.c.interaction_id).where(jobs.c.interaction_id.in_(bindparam("ids", expanding=True)))
_GET: Final = select(jobs).where(jobs.c.id == bindparam("the_id"))
_HELD: Final = _GET.with_for_update(read=True)
_MANY: Final = select(jobs).where(jobs.c.id.in_(bindparam("the_ids", expanding=True)))
_CHANGE: Final = ManyUpdates(
    jobs,
    {"the_id": jobs.c.id, "from_state": jobs.c.state, "at_fence": jobs.c.fence},
    lambda given: (
        jobs.c.id == given["the_id"],
        jobs.c.state == given["from_state"],
        jobs.c.fence == given["at_fence"],
    ),
)
_LOCK_ALL: Final = (
    select(jobs.c.id, jobs.c.state, jobs.c.fence)
    .where(jobs.c.id.in_(bindparam("the_ids", expanding=True)))
    .order_by(jobs.c.id)
    .with_for_update()
)
_COUNT_WAITING: Final = (
    select(jobs.c.guild_id, jobs.c.member_id, func.count().label("waiting"))
    .where(
        *HELD,
        jobs.c.guild_id.in_(bindparam("guilds", expanding=True)),
        jobs.c.member_id.in_(bindparam("members", expanding=True)),
    )
    .group_by(jobs.c.guild_id, jobs.c.member_id)
)
_LIVE_OF_GUILD: Final = (
    select(jobs)
    .where(jobs.c.finished_at.is_(None), jobs.c.state.in_(LIVE), jobs.c.guild_id == bindparam("the_guild"))
    .order_by(jobs.c.created_at, jobs.c.id)
    .limit(bindparam("most"))
)
_LIVE_OF_MEMBER: Final = _LIVE_OF_GUILD.where(jobs.c.member_id == bindparam("the_member"))
_CHILDREN: Final = select(jobs).where(
    jobs.c.parent_id == bindparam("of_job"),
    jobs.c.member_id == bindparam("of_member"),
    jobs.c.created_at >= bindparam("since"),
)
_COUNT_CHILDREN: Final = (
    select(func.count()).select_from(jobs).where(jobs.c.parent_id == bindparam("of_job"), jobs.c.deleted_at.is_(None))
)
_FIRST_DONE: Final = (
    select(jobs.c.id)
    .where(jobs.c.member_id == bindparam("of_member"), jobs.c.state == State.DONE)
    .limit(bindparam("most"))
)
_DECODE_TRIES: Final = (
    update(jobs)
    .where(jobs.c.id == bindparam("the_id"))
    .values(decode_tries=jobs.c.decode_tries + bindparam("more"))
    .returning(jobs.c.decode_tries)
)
_DURATIONS: Final = (
    select(jobs.c.submitted_at, jobs.c.finished_at)
    .where(jobs.c.model == bindparam("of_model"), jobs.c.state == State.DONE, jobs.c.submitted_at.is_not(None))
    .order_by(jobs.c.finished_at.desc())
    .limit(bindparam("most"))
)


class JobRepository:
    """Jobs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: Job) -> None:
        """Insert a job.

        Raises:
            DuplicateInteractionError: its interaction already has a job.
        """
        if self._connection.execute(_INSERT_UNLESS_THERE.on(self._connection), columns_of(job)).rowcount != 1:
            # Raising undoes the transaction, so nothing is held twice.
            raise DuplicateInteractionError
        self._add_inputs(job)

    def add_all(self, new: Sequence[Job]) -> None:
        """Insert jobs, in the order of their interactions.

        Two transactions with the same ones then wait for each other, but not in a circle.

        Raises:
            sqlalchemy.exc.IntegrityError: the interaction of one has a job; see `list_known_interactions`.
        """
        ordered = sorted(new, key=lambda job: job.place.interaction_id)
        _INSERT.execute(self._connection, [columns_of(job) for job in ordered])
        for job in new:
            self._add_inputs(job)

    def _add_inputs(self, job: Job) -> None:
        if job.request.inputs:
            InputImageRepository(self._connection).add_all(job.id, job.request.inputs, job.created_at)

    def list_known_interactions(self, ids: Collection[int]) -> frozenset[int]:
        """Return the interactions with a job."""
        return frozenset(self._connection.execute(_INTERACTIONS, {"ids": padded(ids)}).scalars())

    def get(self, job_id: str, *, hold: bool = False) -> Job:
        """Return the job; `hold` keeps it from being deleted meanwhile.

        Raises:
            JobNotFoundError: there is no such job.
        """
        row = self._connection.execute(_HELD if hold else _GET, {"the_id": job_id}).first()
        if row is None:
            raise JobNotFoundError
        return read_job(self._connection, row)

    def advance(self, job: Job, to: State, **changes: Any) -> Job:
        """Move the job one legal step and return it.

        Raises:
            StaleJobError: the job was moved concurrently.
        """
        check_transition(job.state, to)
        return self._change(job, state=to, **changes)

    def lock_all(self, jobs_: Collection[Job]) -> dict[str, tuple[State, int]]:
        """Lock jobs in a fixed order; return their states and fences by id."""
        rows = self._connection.execute(_LOCK_ALL, {"the_ids": padded(job.id for job in jobs_)})
        return {row.id: (State(row.state), row.fence) for row in rows}

    def change_all(self, changes: Sequence[tuple[Job, Mapping[str, Any]]]) -> None:
        """Change columns of locked jobs."""
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for job, columns in changes:
            guard = {"the_id": job.id, "from_state": job.state, "at_fence": job.fence}
            by_columns.setdefault(tuple(columns), []).append({**guard, **columns})
        for rows in by_columns.values():
            _CHANGE.execute(self._connection, rows)

    def note(self, job: Job, **changes: Any) -> Job:
        """Change columns of a job without changing its state.

        Raises:
            StaleJobError: the job was moved concurrently.
        """
        return self._change(job, **changes)

    def check_current(self, job: Job) -> None:
        """Raise `StaleJobError` if the job was moved concurrently."""
        self._write(job, {"state": job.state})

    def set_prepared(self, job: Job, request: GenerationRequest, *, queued: bool = True) -> Job:
        """Record the storage of the job's inputs.

        `request` is the request completed by the inputs. `queued` makes the job claimable. Raises as `advance` does.
        """
        options = options_of(request)
        changes = {"prepared": queued, "decode_tries": 0}
        self._write(job, changes | ({"options": options} if options != options_of(job.request) else {}))
        return replace(job, prepared=queued, decode_tries=0, request=request)

    def add_decode_tries(self, job_id: str, number: int) -> int:
        """Add to the job's count of fatal decodings; return it."""
        count: int = self._connection.execute(_DECODE_TRIES, {"the_id": job_id, "more": number}).scalar_one()
        return count

    def _change(self, job: Job, **changes: Any) -> Job:
        self._write(job, changes)
        return replace(job, **changes)

    def _write(self, job: Job, columns: Mapping[str, Any]) -> None:
        guard = {"the_id": job.id, "from_state": job.state, "at_fence": job.fence}
        if _CHANGE.execute(self._connection, [{**guard, **columns}]) != 1:
            raise StaleJobError

    def request_cancel(self, job_id: str, at: datetime) -> None:
        """Record a cancellation request."""
        self._connection.execute(
            update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(LIVE)).values(cancel_requested_at=at)
        )

    def count_waiting(self, accounts: Collection[AccountKey]) -> dict[AccountKey, int]:
        """Return the numbers of members' jobs waiting for a slot."""
        guilds, members = ({key[at] for key in accounts} for at in (0, 1))
        rows = self._connection.execute(_COUNT_WAITING, {"guilds": padded(guilds), "members": padded(members)})
        return {(row.guild_id, row.member_id): row.waiting for row in rows}

    def count_live(self) -> tuple[int, int]:
        """Return the numbers of queued and of generating jobs.

        As on the cards, a job in its provider's queue is queued.
        """
        queued = self._count(jobs.c.state.in_(_QUEUED_STATES), jobs.c.finished_at.is_(None))
        generating = [state for state in LIVE if state not in _QUEUED_STATES]
        return queued, self._count(jobs.c.state.in_(generating), jobs.c.finished_at.is_(None))

    def _count(self, *conditions: Any) -> int:
        return self._connection.execute(select(func.count()).select_from(jobs).where(*conditions)).scalar_one()

    def find(self, job_id: str) -> Job | None:
        """Return the job, or None if there is none."""
        row = self._connection.execute(_GET, {"the_id": job_id}).first()
        return None if row is None else read_job(self._connection, row)

    def list_live(self, guild_id: int, member_id: int | None, most: int) -> tuple[Job, ...]:
        """Return the live jobs of a member, or of a guild.

        The oldest `most` come first.
        """
        keys = {"the_guild": guild_id, "most": most}
        if member_id is None:
            return read_jobs(self._connection, self._connection.execute(_LIVE_OF_GUILD, keys))
        return read_jobs(self._connection, self._connection.execute(_LIVE_OF_MEMBER, keys | {"the_member": member_id}))

    def list_children(self, job_id: str, member_id: int, since: datetime) -> tuple[Job, ...]:
        """Return a member's jobs created from a job since then."""
        keys = {"of_job": job_id, "of_member": member_id, "since": since}
        return read_jobs(self._connection, self._connection.execute(_CHILDREN, keys).all())

    def count_children(self, job_id: str) -> int:
        """Return the number of jobs made from a job by any member.

        Deleted ones do not count.
        """
        return self._connection.execute(_COUNT_CHILDREN, {"of_job": job_id}).scalar_one()

    def count_done(self, member_id: int, most: int) -> int:
        """Return the number of a member's finished jobs, counted up to `most`."""
        return len(self._connection.execute(_FIRST_DONE, {"of_member": member_id, "most": most}).all())

    def set_deleted(self, job_id: str, at: datetime) -> None:
        """Mark an ended job as deleted.

        Nothing is delivered, checked or found any more.
        """
        self._connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                deleted_at=func.coalesce(jobs.c.deleted_at, at),
                delivered_at=func.coalesce(jobs.c.delivered_at, at),
                delivery=func.coalesce(jobs.c.delivery, Delivery.NOWHERE),
                reconcile_at=None,
                search_text=None,
                favourite_at=None,
            )
        )

    def set_favourite(self, job_id: str, at: datetime | None) -> None:
        """Mark an undeleted job as a favourite since `at`; None ends it."""
        since = None if at is None else func.coalesce(jobs.c.favourite_at, at)
        self._connection.execute(
            update(jobs).where(jobs.c.id == job_id, jobs.c.deleted_at.is_(None)).values(favourite_at=since)
        )

    def list_by_id(self, ids: Sequence[str]) -> list[Job]:
        """Return jobs in the order of their ids' list; unknown ones are left out."""
        rows = self._connection.execute(_MANY, {"the_ids": ids}).all()
        found = {job.id: job for job in read_jobs(self._connection, rows)}
        return [found[each] for each in ids if each in found]

    def recent_durations(self, model: str, limit: int) -> Sequence[float]:
        """Return the seconds from submit to end of a model's latest jobs.

        Newest first.
        """
        rows = self._connection.execute(_DURATIONS, {"of_model": model, "most": limit})
        return [(row.finished_at - row.submitted_at).total_seconds() for row in rows]
