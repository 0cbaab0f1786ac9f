"""Jobs: the rows that the engine, the services and the cards read, and the guarded steps between states."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from bot.domain.catalogue import MODEL_IDS
from bot.domain.errors import (
    DuplicateInteractionError,
    FaultKind,
    JobNotFoundError,
    StaleJobError,
)
from bot.domain.jobs import AT_PROVIDER, LIVE, Action, Delivery, Job, Origin, Place, State, check_transition
from db.dialects import insert_unless_there
from db.inputs import InputRepository
from db.options import INPUTS, options_of, request_of
from db.tables import jobs, pictures, turns, workers
from db.turns import THE_COMMUNITY

_PLACE: Final = tuple(field.name for field in fields(Place))
# Another process may take these over from a living one: whatever it is doing for them is done as well twice.
_ADOPTABLE: Final = (State.HELD, State.UNKNOWN, State.QUEUED, State.RUNNING)
_OWN: Final = tuple(
    field.name
    for field in fields(Job)
    if field.name not in {"place", "request", "state", "fault", "delivery", "origin"}
)


_HELD: Final = (jobs.c.state == State.HELD, jobs.c.finished_at.is_(None))
_STANDS_IN_LINE: Final = (
    *_HELD,
    jobs.c.acknowledged_at.is_not(None),
    jobs.c.prepared,
    jobs.c.cancel_requested_at.is_(None),
)


def _line(most_turns: BindParameter[Any] | None = None) -> Select[Any]:
    """Return the waiting jobs with `turn` and `round`; with `most_turns`, those alone whose turn is within it.

    `turn` counts a member's jobs, those at a provider first and then the waiting ones by age: it is what the slots a
    member limits, and members of a community take turns by it. `round` counts a community's jobs in the same way, so
    that communities take turns too. Later turns come last in a community, so leaving them out changes no `round`.
    Where turns or rounds are equal, who was served longest ago comes first: with one slot for many it goes round.
    """
    of_them, of_theirs = turns.alias(), turns.alias()
    members = _active(jobs.c.community_id, jobs.c.member_id)
    communities = _active(jobs.c.community_id)
    of_member = func.row_number().over(
        partition_by=(jobs.c.community_id, jobs.c.member_id), order_by=(jobs.c.created_at, jobs.c.id)
    )
    waiting = (
        select(
            jobs.c.id,
            jobs.c.owner,
            jobs.c.created_at,
            jobs.c.due_at,
            jobs.c.community_id,
            jobs.c.model,
            (of_member + func.coalesce(members.c.active, 0)).label("turn"),
            of_them.c.served_at,
        )
        .outerjoin(
            members,
            (members.c.community_id == jobs.c.community_id) & (members.c.member_id == jobs.c.member_id),
        )
        .outerjoin(
            of_them,
            (of_them.c.community_id == jobs.c.community_id) & (of_them.c.member_id == jobs.c.member_id),
        )
        .where(*_STANDS_IN_LINE)
        .subquery()
    )
    of_community = func.row_number().over(
        partition_by=waiting.c.community_id,
        order_by=(waiting.c.turn, waiting.c.served_at.nulls_first(), waiting.c.created_at, waiting.c.id),
    )
    line = (
        select(
            waiting.c.id,
            waiting.c.owner,
            waiting.c.created_at,
            waiting.c.due_at,
            waiting.c.community_id,
            waiting.c.model,
            waiting.c.turn,
            waiting.c.served_at,
            of_theirs.c.served_at.label("community_served_at"),
            (of_community + func.coalesce(communities.c.active, 0)).label("round"),
        )
        .outerjoin(communities, communities.c.community_id == waiting.c.community_id)
        .outerjoin(
            of_theirs,
            (of_theirs.c.community_id == waiting.c.community_id) & (of_theirs.c.member_id == THE_COMMUNITY),
        )
    )
    return line if most_turns is None else line.where(waiting.c.turn <= most_turns)


def _order(line: Subquery) -> tuple[ColumnElement[Any], ...]:
    return (
        line.c.round,
        line.c.community_served_at.nulls_first(),
        line.c.turn,
        line.c.served_at.nulls_first(),
        line.c.created_at,
        line.c.id,
    )


def _active(*whose: Column[int]) -> Subquery:
    """Return how many jobs are at a provider, or before it, for each of `whose`."""
    return (
        select(*whose, func.count().label("active"))
        .where(jobs.c.state.in_(AT_PROVIDER), jobs.c.finished_at.is_(None))
        .group_by(*whose)
        .subquery()
    )


# Longer than any back-off. What is due later still was put off by a clock that has been set back since.
_LONGEST_WAIT: Final = timedelta(minutes=15)

# Built once: building a statement anew costs several times what running it does.
_INSERT: Final = insert_unless_there(jobs, jobs.c.interaction_id)
_GET: Final = select(jobs).where(jobs.c.id == bindparam("the_id"))
_CHANGE: Final = update(jobs).where(
    jobs.c.id == bindparam("the_id"), jobs.c.state == bindparam("from_state"), jobs.c.fence == bindparam("at_fence")
)
# The first time stays; a message id that was not known then is still worth having.
_ACKNOWLEDGE: Final = (
    update(jobs)
    .where(jobs.c.id == bindparam("the_id"))
    .values(
        acknowledged_at=func.coalesce(jobs.c.acknowledged_at, bindparam("at")),
        message_id=func.coalesce(jobs.c.message_id, bindparam("the_message")),
    )
    .returning(jobs.c.prepared)
)
_DELIVER: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.delivered_at.is_(None))
_DIRECT: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.direct_at.is_(None))
_COUNT_WAITING: Final = (
    select(func.count())
    .select_from(jobs)
    .where(*_HELD, jobs.c.community_id == bindparam("the_community"), jobs.c.member_id == bindparam("the_member"))
)
_LINE: Final = _line().subquery()
_IN_LINE: Final = select(_LINE.c.id, _LINE.c.owner).order_by(*_order(_LINE)).limit(bindparam("most"))
_PLACES: Final = select(_LINE.c.id, func.row_number().over(order_by=_order(_LINE)).label("place")).subquery()
_PLACE_IN_LINE: Final = select(_PLACES.c.place).where(_PLACES.c.id == bindparam("the_id"))
_ANY_IN_LINE: Final = select(exists().where(*_STANDS_IN_LINE))
_COUNT_IN_LINE: Final = select(func.count()).select_from(jobs).where(*_STANDS_IN_LINE)
# The line is cut before the jobs' own rows are read: it may be long, and they are wide.
_TURNS: Final = _line(bindparam("per_member")).subquery()
_CLAIMED: Final = (
    select(_TURNS)
    .where(or_(_TURNS.c.due_at <= bindparam("now"), _TURNS.c.due_at > bindparam("far")))
    .where(_TURNS.c.model.in_(bindparam("models", expanding=True)))
    .where(_TURNS.c.community_id.not_in(bindparam("full", expanding=True)))
    .order_by(*_order(_TURNS))
    .offset(bindparam("skipped"))
    .limit(bindparam("most"))
    .subquery()
)
_CLAIMABLE: Final = select(jobs).join(_CLAIMED, _CLAIMED.c.id == jobs.c.id).order_by(*_order(_CLAIMED))
_ACTIVE_BY_COMMUNITY: Final = (
    select(jobs.c.community_id, func.count())
    .where(jobs.c.state.in_(AT_PROVIDER), jobs.c.finished_at.is_(None))
    .group_by(jobs.c.community_id)
)
_OWNED: Final = select(jobs.c.id, jobs.c.finished_at.is_(None).label("live")).where(
    jobs.c.owner == bindparam("of_worker"), jobs.c.delivered_at.is_(None)
)
_TAKE_OVER: Final = (
    update(jobs)
    .where(
        jobs.c.delivered_at.is_(None),
        or_(jobs.c.owner.is_(None), jobs.c.owner.not_in(select(workers.c.id))),
    )
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
_NEXT_DUE: Final = select(func.min(jobs.c.due_at)).where(*_HELD, jobs.c.due_at > bindparam("after"))
_CHILDREN: Final = select(jobs).where(
    jobs.c.parent_id == bindparam("of_job"),
    jobs.c.member_id == bindparam("of_member"),
    jobs.c.created_at >= bindparam("since"),
)
_COUNT_CHILDREN: Final = (
    select(func.count()).select_from(jobs).where(jobs.c.parent_id == bindparam("of_job"), jobs.c.deleted_at.is_(None))
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
        """Insert a job; raises `DuplicateInteractionError` if its interaction has one already."""
        values: dict[str, Any] = {name: getattr(job.place, name) for name in _PLACE}
        values |= {name: getattr(job, name) for name in _OWN}
        values |= {
            "state": job.state,
            "fault": job.fault,
            "delivery": job.delivery,
            "model": job.request.model,
            "prompt": job.request.prompt,
            "options": options_of(job.request),
            **origin_columns(job.origin),
        }
        if self._connection.execute(_INSERT[self._connection.dialect.name], values).rowcount != 1:
            # The transaction is lost with it, which is what the caller wants: nothing is held twice.
            raise DuplicateInteractionError
        if job.request.inputs:
            InputRepository(self._connection).add_all(job.id, job.request.inputs, job.created_at)

    def get(self, job_id: str) -> Job:
        """Return the job, or raise `JobNotFoundError`."""
        row = self._connection.execute(_GET, {"the_id": job_id}).first()
        if row is None:
            raise JobNotFoundError
        return self._job(row)

    def advance(self, job: Job, to: State, **changes: Any) -> Job:
        """Move the job one legal step and return it; raises `StaleJobError` if somebody moved it meanwhile."""
        check_transition(job.state, to)
        return self._change(job, state=to, **changes)

    def note(self, job: Job, **changes: Any) -> Job:
        """Change columns of a job that stays in its state; raises `StaleJobError` like `advance`."""
        return self._change(job, **changes)

    def _change(self, job: Job, **changes: Any) -> Job:
        guard = {"the_id": job.id, "from_state": job.state, "at_fence": job.fence}
        result = self._connection.execute(_CHANGE, guard | changes)
        if result.rowcount != 1:
            raise StaleJobError
        return replace(job, **changes)

    def set_acknowledged(self, job_id: str, message_id: int | None, at: datetime) -> bool:
        """Note that the card is on Discord; return whether nothing is to be fetched before the job stands in line."""
        values = {"the_id": job_id, "at": at, "the_message": message_id}
        return self._connection.execute(_ACKNOWLEDGE, values).scalar() is not False

    def set_delivered(self, job_id: str, at: datetime, delivery: Delivery = Delivery.CARD) -> None:
        """Note that the member has the end, and where; the first note stays."""
        self._connection.execute(_DELIVER, {"the_id": job_id, "delivered_at": at, "delivery": delivery})

    def set_direct(self, job_id: str, at: datetime) -> bool:
        """Note that a direct message is about to be sent; False where that was noted before."""
        return self._connection.execute(_DIRECT, {"the_id": job_id, "direct_at": at}).rowcount == 1

    def request_cancel(self, job_id: str, at: datetime) -> None:
        """Note that its member wants it cancelled."""
        self._connection.execute(
            update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(LIVE)).values(cancel_requested_at=at)
        )

    def count_waiting(self, community_id: int, member_id: int) -> int:
        """Return how many jobs of a member wait for a slot here."""
        whose = {"the_community": community_id, "the_member": member_id}
        return self._connection.execute(_COUNT_WAITING, whose).scalar_one()

    def count_live(self) -> tuple[int, int]:
        """Return how many jobs wait here and how many are at a provider."""
        waiting = self._count(jobs.c.state == State.HELD, jobs.c.finished_at.is_(None))
        return waiting, self._count(jobs.c.state.in_(AT_PROVIDER), jobs.c.finished_at.is_(None))

    def _count(self, *conditions: Any) -> int:
        return self._connection.execute(select(func.count()).select_from(jobs).where(*conditions)).scalar_one()

    def list_claimable(
        self,
        now: datetime,
        per_member: int,
        limit: int,
        skipped: int = 0,
        *,
        models: Collection[str] = MODEL_IDS,
        full: Collection[int] = (),
    ) -> tuple[Job, ...]:
        """Return the acknowledged, due jobs of these models whose turn it is, best first.

        Communities take turns, in them their members, then by age. The first `skipped` are left out, and so are
        those of the communities that are `full`.
        """
        parameters = {
            "per_member": per_member,
            "now": now,
            "far": now + _LONGEST_WAIT,
            "most": limit,
            "skipped": skipped,
            "models": list(models),
            "full": list(full),
        }
        return self._jobs(self._connection.execute(_CLAIMABLE, parameters).all())

    def line(self, most: int) -> tuple[tuple[str, str | None], ...]:
        """Return (id, owner) of the first `most` that wait here for a slot, in the order in which they get one."""
        return tuple((row.id, row.owner) for row in self._connection.execute(_IN_LINE, {"most": most}))

    def any_in_line(self) -> bool:
        """Return whether anybody's job waits here for a slot."""
        return bool(self._connection.execute(_ANY_IN_LINE).scalar_one())

    def count_in_line(self) -> int:
        """Return how many jobs wait here for a slot."""
        return self._connection.execute(_COUNT_IN_LINE).scalar_one()

    def place_in_line(self, job_id: str) -> int | None:
        """Return a waiting job's place, from 1; None if it is in no line."""
        return self._connection.execute(_PLACE_IN_LINE, {"the_id": job_id}).scalar()

    def active_by_community(self) -> dict[int, int]:
        """Return how many jobs of each community are at a provider, or before it."""
        return {row[0]: row[1] for row in self._connection.execute(_ACTIVE_BY_COMMUNITY)}

    def next_due(self, after: datetime) -> datetime | None:
        """Return when the next job that waits for another try is due."""
        return self._connection.execute(_NEXT_DUE, {"after": after}).scalar()

    def take_over(self, worker_id: str) -> tuple[Job, ...]:
        """Give a worker every job that is not delivered and whose owner is not among the workers; return those.

        Their fence is raised, so that the earlier owner is rejected should it wake up.
        """
        rows = self._connection.execute(_TAKE_OVER, {"to_worker": worker_id}).all()
        return tuple(sorted(self._jobs(rows), key=lambda job: (job.created_at, job.id)))

    def adopt(self, job_id: str, worker_id: str) -> bool:
        """Give a worker one job of another, where its state allows that; return whether it changed hands."""
        return self._connection.execute(_ADOPT, {"the_id": job_id, "to_worker": worker_id}).rowcount == 1

    def list_owned(self, worker_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the ids of a worker's live jobs, and of its ended ones that are not delivered."""
        rows = self._connection.execute(_OWNED, {"of_worker": worker_id}).all()
        return tuple(row.id for row in rows if row.live), tuple(row.id for row in rows if not row.live)

    def list_reconcilable(self, now: datetime, limit: int) -> tuple[Job, ...]:
        """Return jobs that ended without their provider's answer and about which it is time to ask again."""
        return self._jobs(self._connection.execute(_RECONCILE, {"now": now, "most": limit}).all())

    def reconcile_later(self, job: Job, at: datetime | None) -> bool:
        """Put the next question off to `at` (None: no more questions); False if another process did so first."""
        changes = {"the_id": job.id, "was_due": job.reconcile_at, "reconcile_at": at}
        return self._connection.execute(_RECONCILE_LATER, changes).rowcount == 1

    def reconcile_from(self, job_id: str, at: datetime | None) -> bool:
        """Ask about an ended job from `at` on (None: no more); False where it was charged, has come, or is deleted."""
        statement = update(jobs).where(
            jobs.c.id == job_id,
            jobs.c.state.in_((State.FAILED, State.LOST)),
            jobs.c.deleted_at.is_(None),
            jobs.c.id.not_in(select(pictures.c.job_id).where(pictures.c.job_id == job_id)),
        )
        return self._connection.execute(statement.values(reconcile_at=at)).rowcount == 1

    def erase_tokens(self, created_before: datetime) -> None:
        """Forget the interaction tokens of older jobs: they are secrets, and dead."""
        self._connection.execute(
            update(jobs).where(jobs.c.token.is_not(None), jobs.c.created_at < created_before).values(token=None)
        )

    def find(self, job_id: str) -> Job | None:
        """Return the job, or None where there is none."""
        row = self._connection.execute(_GET, {"the_id": job_id}).first()
        return None if row is None else self._job(row)

    def list_children(self, job_id: str, member_id: int, since: datetime) -> tuple[Job, ...]:
        """Return the jobs that a member has made from a job since then."""
        whose = {"of_job": job_id, "of_member": member_id, "since": since}
        return self._jobs(self._connection.execute(_CHILDREN, whose).all())

    def count_children(self, job_id: str) -> int:
        """Return how many jobs were made from a job, by whomever, and are not deleted."""
        return self._connection.execute(_COUNT_CHILDREN, {"of_job": job_id}).scalar_one()

    def set_deleted(self, job_id: str, at: datetime) -> None:
        """Note that an ended job was deleted: there is nothing to deliver any more, and nothing to ask about."""
        self._connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                deleted_at=func.coalesce(jobs.c.deleted_at, at),
                delivered_at=func.coalesce(jobs.c.delivered_at, at),
                delivery=func.coalesce(jobs.c.delivery, Delivery.NOWHERE),
                reconcile_at=None,
            )
        )

    def recent_durations(self, model: str, limit: int) -> Sequence[float]:
        """Return how many seconds the model's latest finished jobs took from submit to end, newest first."""
        rows = self._connection.execute(_DURATIONS, {"of_model": model, "most": limit})
        return [(row.finished_at - row.submitted_at).total_seconds() for row in rows]

    def _jobs(self, rows: Iterable[Row[Any]]) -> tuple[Job, ...]:
        return tuple(self._job(row) for row in rows)

    def _job(self, row: Row[Any]) -> Job:
        values = row._mapping
        options = values["options"]
        inputs = InputRepository(self._connection).list_for(values["id"]) if options.get(INPUTS) else ()
        return Job(
            place=Place(**{name: values[name] for name in _PLACE}),
            request=request_of(values["prompt"], values["model"], options, inputs),
            state=State(values["state"]),
            fault=None if values["fault"] is None else FaultKind(values["fault"]),
            delivery=None if values["delivery"] is None else Delivery(values["delivery"]),
            origin=origin_of(values),
            **{name: values[name] for name in _OWN},
        )


def origin_columns(origin: Origin | None) -> dict[str, Any]:
    """Return what is stored of where a request came from."""
    if origin is None:
        return {"action": None, "parent_id": None, "parent_picture": None}
    return {"action": origin.action, "parent_id": origin.job_id, "parent_picture": origin.position}


def origin_of(values: Mapping[Any, Any]) -> Origin | None:
    """Return where a request came from, from its row."""
    if values["action"] is None:
        return None
    return Origin(action=Action(values["action"]), job_id=values["parent_id"], position=values["parent_picture"])
