"""Jobs: the rows that the engine, the services and the cards read, and the guarded steps between states."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from bot.domain.errors import (
    DuplicateInteractionError,
    FaultKind,
    JobNotFoundError,
    StaleJobError,
)
from bot.domain.jobs import AT_PROVIDER, LIVE, Delivery, Job, Place, State, check_transition
from bot.domain.requests import GenerationRequest
from db.dialects import insert_unless_there
from db.tables import jobs

_PLACE: Final = tuple(field.name for field in fields(Place))
_OPTIONS: Final = ("aspect_ratio", "images", "detail", "format", "resolution")
_OWN: Final = tuple(
    field.name for field in fields(Job) if field.name not in {"place", "request", "state", "fault", "delivery"}
)


def _line() -> Select[Any]:
    """Return the waiting jobs with `turn`: how many of its member's jobs are at a provider or before it, and itself."""
    active = (
        select(jobs.c.community_id, jobs.c.member_id, func.count().label("active"))
        .where(jobs.c.state.in_(AT_PROVIDER), jobs.c.finished_at.is_(None))
        .group_by(jobs.c.community_id, jobs.c.member_id)
        .subquery()
    )
    order = func.row_number().over(
        partition_by=(jobs.c.community_id, jobs.c.member_id), order_by=(jobs.c.created_at, jobs.c.id)
    )
    return (
        select(jobs.c.id, jobs.c.created_at, (order + func.coalesce(active.c.active, 0)).label("turn"))
        .outerjoin(
            active,
            (active.c.community_id == jobs.c.community_id) & (active.c.member_id == jobs.c.member_id),
        )
        .where(
            jobs.c.state == State.HELD,
            jobs.c.finished_at.is_(None),
            jobs.c.acknowledged_at.is_not(None),
            jobs.c.cancel_requested_at.is_(None),
        )
    )


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
)
_DELIVER: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.delivered_at.is_(None))
_DIRECT: Final = update(jobs).where(jobs.c.id == bindparam("the_id"), jobs.c.direct_at.is_(None))
_HELD: Final = (jobs.c.state == State.HELD, jobs.c.finished_at.is_(None))
_COUNT_WAITING: Final = (
    select(func.count())
    .select_from(jobs)
    .where(*_HELD, jobs.c.community_id == bindparam("the_community"), jobs.c.member_id == bindparam("the_member"))
)
_LINE: Final = _line().subquery()
_IN_LINE: Final = select(_LINE.c.id).order_by(_LINE.c.turn, _LINE.c.created_at, _LINE.c.id)
_CLAIMABLE: Final = (
    select(jobs)
    .join(_LINE, _LINE.c.id == jobs.c.id)
    .where(_LINE.c.turn <= bindparam("per_member"), jobs.c.due_at <= bindparam("now"))
    .order_by(_LINE.c.turn, jobs.c.created_at, jobs.c.id)
    .limit(bindparam("most"))
)
_NEXT_DUE: Final = select(func.min(jobs.c.due_at)).where(*_HELD, jobs.c.due_at > bindparam("after"))
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
            "options": {name: getattr(job.request, name) for name in _OPTIONS},
        }
        if self._connection.execute(_INSERT[self._connection.dialect.name], values).rowcount != 1:
            # The transaction is lost with it, which is what the caller wants: nothing is held twice.
            raise DuplicateInteractionError

    def get(self, job_id: str) -> Job:
        """Return the job, or raise `JobNotFoundError`."""
        row = self._connection.execute(_GET, {"the_id": job_id}).first()
        if row is None:
            raise JobNotFoundError
        return _from_row(row)

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

    def set_acknowledged(self, job_id: str, message_id: int | None, at: datetime) -> None:
        """Note that the card is on Discord."""
        self._connection.execute(_ACKNOWLEDGE, {"the_id": job_id, "at": at, "the_message": message_id})

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

    def list_claimable(self, now: datetime, per_member: int, limit: int) -> tuple[Job, ...]:
        """Return the acknowledged, due jobs whose turn it is, best first: members take turns, then by age."""
        rows = self._connection.execute(_CLAIMABLE, {"per_member": per_member, "now": now, "most": limit})
        return tuple(_from_row(row) for row in rows)

    def line(self) -> tuple[str, ...]:
        """Return the ids of all jobs that wait here for a slot, in the order in which they get one."""
        return tuple(self._connection.execute(_IN_LINE).scalars())

    def next_due(self, after: datetime) -> datetime | None:
        """Return when the next job that waits for another try is due."""
        return self._connection.execute(_NEXT_DUE, {"after": after}).scalar()

    def take_over(self) -> tuple[Job, ...]:
        """Raise the fence of every live job, so that an earlier process is rejected, and return them, oldest first."""
        live = (jobs.c.state.in_(LIVE), jobs.c.finished_at.is_(None))
        self._connection.execute(update(jobs).where(*live).values(fence=jobs.c.fence + 1))
        return self._list(select(jobs).where(*live).order_by(jobs.c.created_at, jobs.c.id))

    def list_undelivered(self) -> tuple[Job, ...]:
        """Return the ended jobs whose card may not show it yet, oldest first."""
        ended = (jobs.c.delivered_at.is_(None), jobs.c.finished_at.is_not(None))
        return self._list(select(jobs).where(*ended).order_by(jobs.c.created_at, jobs.c.id))

    def erase_tokens(self, created_before: datetime) -> None:
        """Forget the interaction tokens of older jobs: they are secrets, and dead."""
        self._connection.execute(
            update(jobs).where(jobs.c.token.is_not(None), jobs.c.created_at < created_before).values(token=None)
        )

    def recent_durations(self, model: str, limit: int) -> Sequence[float]:
        """Return how many seconds the model's latest finished jobs took from submit to end, newest first."""
        rows = self._connection.execute(_DURATIONS, {"of_model": model, "most": limit})
        return [(row.finished_at - row.submitted_at).total_seconds() for row in rows]

    def _list(self, statement: Select[Any]) -> tuple[Job, ...]:
        return tuple(_from_row(row) for row in self._connection.execute(statement))


def _from_row(row: Row[Any]) -> Job:
    values = row._mapping
    return Job(
        place=Place(**{name: values[name] for name in _PLACE}),
        request=GenerationRequest(prompt=values["prompt"], model=values["model"], **values["options"]),
        state=State(values["state"]),
        fault=None if values["fault"] is None else FaultKind(values["fault"]),
        delivery=None if values["delivery"] is None else Delivery(values["delivery"]),
        **{name: values[name] for name in _OWN},
    )
