"""Jobs and their guarded state transitions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Connection,
    Row,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from bot.domain.errors import (
    DuplicateInteractionError,
    FaultKind,
    JobNotFoundError,
    StaleJobError,
)
from bot.domain.jobs import (
    LIVE,
    Action,
    Delivery,
    InteractionContext,
    Job,
    Origin,
    State,
    check_transition,
)
from bot.domain.preferences import Notice
from bot.domain.requests import KEEP_AS_IT_IS, GenerationRequest
from bot.domain.searches import normalize_text
from db.accounts import AccountKey
from db.dialects import insert_unless_there, padded
from db.inputs import InputImageRepository
from db.request_codec import INPUTS, options_of, request_of
from db.tables import jobs, pictures, workers

# Roles are known with the interaction only.
_PLACE: Final = tuple(field.name for field in fields(InteractionContext) if field.compare)
# These may be taken over from a live process: whatever that process is doing for them may be done twice.
_ADOPTABLE: Final = (State.HELD, State.UNKNOWN, State.QUEUED, State.RUNNING)
_OWN: Final = tuple(
    field.name
    for field in fields(Job)
    if field.name not in {"place", "request", "state", "fault", "delivery", "origin", "notice"}
)


_QUEUED_STATES: Final = (State.HELD, State.SUBMITTING, State.QUEUED)
HELD: Final = (jobs.c.state == State.HELD, jobs.c.finished_at.is_(None))
"""The conditions for a job that waits for a slot."""

# Built once: building a statement costs several times as much as running it.
_INSERT: Final = insert(jobs)
_INSERT_UNLESS_THERE: Final = insert_unless_there(jobs, jobs.c.interaction_id)
_INTERACTIONS: Final = select(jobs.c.interaction_id).where(jobs.c.interaction_id.in_(bindparam("ids", expanding=True)))
_GET: Final = select(jobs).where(jobs.c.id == bindparam("the_id"))
_HELD: Final = _GET.with_for_update(read=True)
_MANY: Final = select(jobs).where(jobs.c.id.in_(bindparam("the_ids", expanding=True)))
_CHANGE: Final = update(jobs).where(
    jobs.c.id == bindparam("the_id"), jobs.c.state == bindparam("from_state"), jobs.c.fence == bindparam("at_fence")
)
_LOCK_ALL: Final = (
    select(jobs.c.id, jobs.c.state, jobs.c.fence)
    .where(jobs.c.id.in_(bindparam("the_ids", expanding=True)))
    .order_by(jobs.c.id)
    .with_for_update()
)
# The first time stays; a message id that arrives later is still added.
_ACKNOWLEDGE: Final = (
    update(jobs)
    .where(jobs.c.id == bindparam("the_id"))
    .values(
        acknowledged_at=func.coalesce(jobs.c.acknowledged_at, bindparam("at")),
        message_id=func.coalesce(jobs.c.message_id, bindparam("the_message")),
        private=func.coalesce(bindparam("is_private", type_=Boolean), jobs.c.private),
    )
)
_ARE_PREPARED: Final = select(jobs.c.id, jobs.c.prepared).where(jobs.c.id.in_(bindparam("the_ids", expanding=True)))
_DELIVER: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.delivered_at.is_(None))
_DIRECT: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.direct_at.is_(None))
_DIRECT_SINCE: Final = select(func.count(), func.max(jobs.c.direct_at)).where(jobs.c.direct_at > bindparam("since"))
_NOTICE: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.notice_at.is_(None))
_DIRECT_NOTICES_SINCE: Final = select(func.count(), func.max(jobs.c.notice_at)).where(
    jobs.c.notice_at > bindparam("since"), jobs.c.notice == Notice.DIRECT
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
_OWNED: Final = select(jobs.c.id, jobs.c.finished_at.is_(None).label("live")).where(
    jobs.c.owner == bindparam("of_worker"), jobs.c.delivered_at.is_(None)
)
_SUBMITTING: Final = select(jobs.c.id).where(
    jobs.c.owner == bindparam("of_worker"), jobs.c.delivered_at.is_(None), jobs.c.state == State.SUBMITTING
)
_OWNERLESS: Final = (
    jobs.c.delivered_at.is_(None),
    or_(jobs.c.owner.is_(None), jobs.c.owner.not_in(select(workers.c.id))),
)
# The condition is repeated outside, because the second of two concurrent take-overs must check the row again.
_TAKE_OVER: Final = (
    update(jobs)
    .where(*_OWNERLESS, jobs.c.id.in_(select(jobs.c.id).where(*_OWNERLESS).limit(bindparam("most")).correlate(None)))
    .values(owner=bindparam("to_worker"), fence=jobs.c.fence + 1)
    .returning(jobs)
)
_ADOPT: Final = (
    update(jobs)
    .where(jobs.c.id == bindparam("the_id"), jobs.c.state.in_(_ADOPTABLE))
    .where(or_(jobs.c.owner.is_(None), jobs.c.owner != bindparam("to_worker")))
    .values(owner=bindparam("to_worker"), fence=jobs.c.fence + 1)
)
_RECONCILE: Final = select(jobs).where(jobs.c.reconcile_at <= bindparam("now")).limit(bindparam("most"))
_RECONCILE_LATER: Final = update(jobs).where(
    jobs.c.id == bindparam("the_id"), jobs.c.reconcile_at == bindparam("was_due")
)
_ON_MESSAGE: Final = select(jobs.c.id).where(
    jobs.c.finished_at.is_(None), jobs.c.state.in_(LIVE), jobs.c.message_id == bindparam("the_message")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedCard:
    """A job's card on Discord, by its message if known.

    `private` is Discord's word on the card; None if unknown.
    """

    job_id: str
    message_id: int | None
    at: datetime
    private: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredJob:
    """A job with a delivered result."""

    job_id: str
    at: datetime
    delivery: Delivery = Delivery.CARD


class JobRepository:
    """Jobs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: Job) -> None:
        """Insert a job.

        Raises:
            DuplicateInteractionError: its interaction already has a job.
        """
        if self._connection.execute(_INSERT_UNLESS_THERE[self._connection.dialect.name], _columns(job)).rowcount != 1:
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
        self._connection.execute(_INSERT, [_columns(job) for job in ordered])
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
        return self._job(row)

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
            self._connection.execute(_CHANGE, rows)

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
        if self._connection.execute(_CHANGE, {**guard, **columns}).rowcount != 1:
            raise StaleJobError

    def set_acknowledged(self, cards: Sequence[PostedCard]) -> dict[str, bool]:
        """Record the appearance of cards on Discord.

        Return, by job, whether it is queued now; False if inputs must be fetched before.
        """
        self._connection.execute(
            _ACKNOWLEDGE,
            [
                {"the_id": each.job_id, "at": each.at, "the_message": each.message_id, "is_private": each.private}
                for each in sorted(cards, key=_job_id)
            ],
        )
        rows = self._connection.execute(_ARE_PREPARED, {"the_ids": padded(each.job_id for each in cards)})
        return {row.id: row.prepared for row in rows}

    def set_delivered(self, deliveries: Sequence[DeliveredJob]) -> None:
        """Record how and when results were delivered; the first record stays."""
        self._connection.execute(
            _DELIVER,
            [
                {"the_id": each.job_id, "delivered_at": each.at, "delivery": each.delivery}
                for each in sorted(deliveries, key=_job_id)
            ],
        )

    def set_direct(self, job_id: str, at: datetime) -> None:
        """Record the time of a direct message; the first record stays."""
        self._connection.execute(_DIRECT, {"the_id": job_id, "direct_at": at})

    def direct_messages_since(self, since: datetime) -> tuple[int, datetime | None]:
        """Return the number of direct messages since then, and the last time.

        Planned ones and notices count.
        """
        number, last = self._connection.execute(_DIRECT_SINCE, {"since": since}).one()
        notices, last_notice = self._connection.execute(_DIRECT_NOTICES_SINCE, {"since": since}).one()
        return number + notices, max((at for at in (last, last_notice) if at is not None), default=None)

    def set_notice(self, job_id: str, notice: Notice, at: datetime) -> None:
        """Record a notice and its time; the first record stays."""
        self._connection.execute(_NOTICE, {"the_id": job_id, "notice": notice, "notice_at": at})

    def set_public(self, job_id: str, at: datetime) -> None:
        """Record the intent to show a private job to all; the first record stays."""
        self._connection.execute(
            update(jobs).where(jobs.c.id == job_id, jobs.c.public_at.is_(None)).values(public_at=at)
        )

    def set_public_message(self, job_id: str, message_id: int) -> None:
        """Record the public card of a private job."""
        self._connection.execute(update(jobs).where(jobs.c.id == job_id).values(public_message_id=message_id))

    def withdraw_public(self, job_id: str) -> None:
        """Forget the intent to show a private job to all, if there is no message."""
        unsent = jobs.c.public_message_id.is_(None)
        self._connection.execute(update(jobs).where(jobs.c.id == job_id, unsent).values(public_at=None))

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

    def take_over(self, worker_id: str, most: int) -> tuple[Job, ...]:
        """Give a worker up to `most` undelivered jobs of dead workers.

        A worker without a row is dead. The jobs' fence is raised, so that the earlier owner is rejected if it wakes
        up.
        """
        rows = self._connection.execute(_TAKE_OVER, {"to_worker": worker_id, "most": most}).all()
        return tuple(sorted(self.from_rows(rows), key=lambda job: (job.created_at, job.id)))

    def adopt(self, job_id: str, worker_id: str) -> bool:
        """Give a worker another worker's job if the job's state permits.

        Return whether it changed hands.
        """
        return self._connection.execute(_ADOPT, {"the_id": job_id, "to_worker": worker_id}).rowcount == 1

    def list_owned(self, worker_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the ids of a worker's live jobs and undelivered ended jobs."""
        rows = self._connection.execute(_OWNED, {"of_worker": worker_id}).all()
        return tuple(row.id for row in rows if row.live), tuple(row.id for row in rows if not row.live)

    def list_held(self, worker_id: str, model: str) -> tuple[str, ...]:
        """Return the ids of a worker's jobs in HELD for a model."""
        wanted = select(jobs.c.id).where(*HELD, jobs.c.owner == worker_id, jobs.c.model == model)
        return tuple(self._connection.execute(wanted).scalars())

    def list_submitting(self, worker_id: str) -> tuple[str, ...]:
        """Return the ids of a worker's jobs with a pending submit."""
        return tuple(self._connection.execute(_SUBMITTING, {"of_worker": worker_id}).scalars())

    def list_reconcilable(self, now: datetime, limit: int) -> tuple[Job, ...]:
        """Return ended jobs with an unknown provider outcome, due for a check."""
        return self.from_rows(self._connection.execute(_RECONCILE, {"now": now, "most": limit}).all())

    def postpone_reconciliation(self, job: Job, at: datetime | None) -> bool:
        """Set the next check of an unknown outcome; None ends the checks.

        Return False if another process did so first.
        """
        changes = {"the_id": job.id, "was_due": job.reconcile_at, "reconcile_at": at}
        return self._connection.execute(_RECONCILE_LATER, changes).rowcount == 1

    def schedule_reconciliation(self, job_id: str, at: datetime | None) -> bool:
        """Check an ended job's outcome from `at` on; None ends the checks.

        Return False if the job is not failed or lost, already has images, or is deleted.
        """
        statement = update(jobs).where(
            jobs.c.id == job_id,
            jobs.c.state.in_((State.FAILED, State.LOST)),
            jobs.c.deleted_at.is_(None),
            jobs.c.id.not_in(select(pictures.c.job_id).where(pictures.c.job_id == job_id)),
        )
        return self._connection.execute(statement.values(reconcile_at=at)).rowcount == 1

    def erase_tokens(self, created_before: datetime) -> None:
        """Erase the expired interaction tokens of older jobs: they are secrets."""
        self._connection.execute(
            update(jobs).where(jobs.c.token.is_not(None), jobs.c.created_at < created_before).values(token=None)
        )

    def find(self, job_id: str) -> Job | None:
        """Return the job, or None if there is none."""
        row = self._connection.execute(_GET, {"the_id": job_id}).first()
        return None if row is None else self._job(row)

    def has_live_on(self, message_id: int) -> bool:
        """Return whether a message is the card of a job that has not ended."""
        return self._connection.execute(_ON_MESSAGE, {"the_message": message_id}).first() is not None

    def list_live(self, guild_id: int, member_id: int | None, most: int) -> tuple[Job, ...]:
        """Return the live jobs of a member, or of a guild.

        The oldest `most` come first.
        """
        keys = {"the_guild": guild_id, "most": most}
        if member_id is None:
            return self.from_rows(self._connection.execute(_LIVE_OF_GUILD, keys))
        return self.from_rows(self._connection.execute(_LIVE_OF_MEMBER, keys | {"the_member": member_id}))

    def list_children(self, job_id: str, member_id: int, since: datetime) -> tuple[Job, ...]:
        """Return a member's jobs created from a job since then."""
        keys = {"of_job": job_id, "of_member": member_id, "since": since}
        return self.from_rows(self._connection.execute(_CHILDREN, keys).all())

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
        found = {job.id: job for job in self.from_rows(self._connection.execute(_MANY, {"the_ids": ids}).all())}
        return [found[each] for each in ids if each in found]

    def recent_durations(self, model: str, limit: int) -> Sequence[float]:
        """Return the seconds from submit to end of a model's latest jobs.

        Newest first.
        """
        rows = self._connection.execute(_DURATIONS, {"of_model": model, "most": limit})
        return [(row.finished_at - row.submitted_at).total_seconds() for row in rows]

    def from_rows(self, rows: Iterable[Row[Any]]) -> tuple[Job, ...]:
        """Return the jobs of rows of the whole table."""
        return tuple(self._job(row) for row in rows)

    def _job(self, row: Row[Any]) -> Job:
        values = row._mapping
        options = values["options"]
        inputs = InputImageRepository(self._connection).list_for(values["id"]) if options.get(INPUTS) else ()
        return Job(
            place=InteractionContext(**{name: getattr(row, name) for name in _PLACE}),
            request=request_of(values["prompt"], values["model"], options, inputs),
            state=State(values["state"]),
            fault=None if values["fault"] is None else FaultKind(values["fault"]),
            delivery=None if values["delivery"] is None else Delivery(values["delivery"]),
            notice=None if values["notice"] is None else Notice(values["notice"]),
            origin=origin_of(values),
            **{name: values[name] for name in _OWN},
        )


def _job_id(event: PostedCard | DeliveredJob) -> str:
    """Return the place of an event's job in the order of locks."""
    return event.job_id


def _columns(job: Job) -> dict[str, Any]:
    """Return the row of a new job."""
    place, request = job.place, job.request
    values: dict[str, Any] = {name: getattr(place, name) for name in _PLACE}
    values.update((name, getattr(job, name)) for name in _OWN)
    values.update(
        state=job.state,
        fault=job.fault,
        delivery=job.delivery,
        notice=job.notice,
        model=request.model,
        prompt=request.prompt,
        search_text=None if request.prompt == KEEP_AS_IT_IS else normalize_text(request.prompt),
        options=options_of(request),
        **origin_columns(job.origin),
    )
    return values


def origin_columns(origin: Origin | None) -> dict[str, Any]:
    """Return the columns of an origin."""
    if origin is None:
        return {"action": None, "parent_id": None, "parent_picture": None}
    return {"action": origin.action, "parent_id": origin.job_id, "parent_picture": origin.position}


def origin_of(values: Mapping[Any, Any]) -> Origin | None:
    """Return a row's origin, or None."""
    if values["action"] is None:
        return None
    return Origin(action=Action(values["action"]), job_id=values["parent_id"], position=values["parent_picture"])
