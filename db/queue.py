"""The queue of jobs waiting for a slot: fair order and positions."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from bot.domain.jobs import AT_PROVIDER, Job, State
from db.accounts import AccountKey
from db.dialects import padded
from db.fair_share import WHOLE_GUILD
from db.job_rows import read_jobs
from db.jobs import HELD
from db.tables import jobs, turns

_NOT_CANCELLED: Final = (*HELD, jobs.c.prepared, jobs.c.cancel_requested_at.is_(None))
_QUEUED: Final = (*_NOT_CANCELLED, jobs.c.acknowledged_at.is_not(None))


def _queue(most_turns: BindParameter[Any] | None = None, *, new: BindParameter[Any] | None = None) -> Select[Any]:
    """Return the waiting jobs with `turn` and `round`.

    `turn` counts a member's jobs: those at a provider first, then the waiting ones by age. The slots of a member
    limit it, and members of a guild take turns by it. `round` counts a guild's jobs in the same way, so that
    guilds take turns too. On equal turns or rounds, the member or guild served longest ago comes first: even one
    slot goes round.

    With `most_turns`, only jobs up to that turn are returned. Later turns come last in a guild, so leaving them
    out changes no `round`. `new` is a job that counts as queued before its card is acknowledged.
    """
    queued = _QUEUED if new is None else (*_NOT_CANCELLED, or_(jobs.c.acknowledged_at.is_not(None), jobs.c.id.in_(new)))
    member_turns, guild_turns = turns.alias(), turns.alias()
    member_counts = _active(jobs.c.guild_id, jobs.c.member_id)
    guild_counts = _active(jobs.c.guild_id)
    of_member = func.row_number().over(
        partition_by=(jobs.c.guild_id, jobs.c.member_id), order_by=(jobs.c.created_at, jobs.c.id)
    )
    waiting = (
        select(
            jobs.c.id,
            jobs.c.owner,
            jobs.c.created_at,
            jobs.c.due_at,
            jobs.c.guild_id,
            jobs.c.member_id,
            jobs.c.model,
            jobs.c.own_key,
            (of_member + func.coalesce(member_counts.c.active, 0)).label("turn"),
            member_turns.c.served_at,
        )
        .outerjoin(
            member_counts,
            (member_counts.c.guild_id == jobs.c.guild_id) & (member_counts.c.member_id == jobs.c.member_id),
        )
        .outerjoin(
            member_turns,
            (member_turns.c.guild_id == jobs.c.guild_id) & (member_turns.c.member_id == jobs.c.member_id),
        )
        .where(*queued)
        .subquery()
    )
    of_guild = func.row_number().over(
        partition_by=waiting.c.guild_id,
        order_by=(waiting.c.turn, waiting.c.served_at.nulls_first(), waiting.c.created_at, waiting.c.id),
    )
    queue = (
        select(
            waiting.c.id,
            waiting.c.owner,
            waiting.c.created_at,
            waiting.c.due_at,
            waiting.c.guild_id,
            waiting.c.member_id,
            waiting.c.model,
            waiting.c.own_key,
            waiting.c.turn,
            waiting.c.served_at,
            guild_turns.c.served_at.label("guild_served_at"),
            (of_guild + func.coalesce(guild_counts.c.active, 0)).label("round"),
        )
        .outerjoin(guild_counts, guild_counts.c.guild_id == waiting.c.guild_id)
        .outerjoin(
            guild_turns,
            (guild_turns.c.guild_id == waiting.c.guild_id) & (guild_turns.c.member_id == WHOLE_GUILD),
        )
    )
    return queue if most_turns is None else queue.where(waiting.c.turn <= most_turns)


def _order(queue: Subquery) -> tuple[ColumnElement[Any], ...]:
    return (
        queue.c.round,
        queue.c.guild_served_at.nulls_first(),
        queue.c.turn,
        queue.c.served_at.nulls_first(),
        queue.c.created_at,
        queue.c.id,
    )


def _active(*columns: Column[int]) -> Subquery:
    """Return the number of jobs at a provider, grouped by `columns`."""
    return (
        select(*columns, func.count().label("active"))
        .where(jobs.c.state.in_(AT_PROVIDER), jobs.c.finished_at.is_(None))
        .group_by(*columns)
        .subquery()
    )


# Longer than any back-off. A later due time comes from a clock that was set back since.
_LONGEST_WAIT: Final = timedelta(minutes=15)

# Built once: building a statement costs several times as much as running it.
_QUEUE: Final = _queue().subquery()
_FIRST: Final = select(_QUEUE.c.id, _QUEUE.c.owner).order_by(*_order(_QUEUE)).limit(bindparam("most"))
_POSITIONS: Final = select(_QUEUE.c.id, func.row_number().over(order_by=_order(_QUEUE)).label("position")).subquery()
_POSITION: Final = select(_POSITIONS.c.position).where(_POSITIONS.c.id == bindparam("the_id"))
_WITH_NEW: Final = _queue(new=bindparam("the_ids", expanding=True)).subquery()
_LIST_WITH_NEW: Final = select(
    _WITH_NEW.c.id, _WITH_NEW.c.guild_id, _WITH_NEW.c.member_id, _WITH_NEW.c.created_at
).order_by(*_order(_WITH_NEW))
_IS_ACTIVE: Final = jobs.c.state.in_(AT_PROVIDER)
_IS_BEFORE: Final = (
    jobs.c.state.in_([State.HELD])
    & jobs.c.acknowledged_at.is_not(None)
    & jobs.c.prepared
    & jobs.c.cancel_requested_at.is_(None)
    & (
        (jobs.c.created_at < bindparam("since"))
        | ((jobs.c.created_at == bindparam("since")) & (jobs.c.id < bindparam("the_id")))
    )
)
_OF_GUILD: Final = jobs.c.guild_id == bindparam("the_guild")
_OF_MEMBER: Final = _OF_GUILD & (jobs.c.member_id == bindparam("the_member"))


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_AHEAD: Final = select(
    _number(_IS_ACTIVE).label("active"),
    _number(_IS_ACTIVE & _OF_GUILD).label("active_of_guild"),
    _number(_IS_BEFORE & _OF_GUILD).label("before_of_guild"),
    _number(_IS_ACTIVE & _OF_MEMBER).label("active_of_member"),
    _number(_IS_BEFORE & _OF_MEMBER).label("before_of_member"),
).where(jobs.c.finished_at.is_(None))
_HAS_WAITING: Final = select(exists().where(*_QUEUED))
_HAS_WAITING_OWN: Final = select(exists().where(*_QUEUED, jobs.c.own_key))
_COUNT: Final = select(func.count()).select_from(jobs).where(*_QUEUED)
_COUNT_SOME: Final = select(func.count()).select_from(
    select(literal(1)).select_from(jobs).where(*_NOT_CANCELLED).limit(bindparam("most")).subquery()
)
# The queue is limited before the jobs' rows are read: it may be long, and they are wide.
_TURNS: Final = _queue(bindparam("per_member")).subquery()
_CLAIMED: Final = (
    select(_TURNS)
    .where(or_(_TURNS.c.due_at <= bindparam("now"), _TURNS.c.due_at > bindparam("far")))
    .where(
        or_(
            and_(~_TURNS.c.own_key, _TURNS.c.model.in_(bindparam("models", expanding=True))),
            and_(_TURNS.c.own_key, _TURNS.c.model.in_(bindparam("own_models", expanding=True))),
        )
    )
    .where(_TURNS.c.guild_id.not_in(bindparam("full", expanding=True)))
    .order_by(*_order(_TURNS))
    .offset(bindparam("skipped"))
    .limit(bindparam("most"))
    .subquery()
)
_CLAIMABLE: Final = select(jobs).join(_CLAIMED, _CLAIMED.c.id == jobs.c.id).order_by(*_order(_CLAIMED))
_ACTIVE_BY_GUILD: Final = (
    select(jobs.c.guild_id, func.count())
    .where(jobs.c.state.in_(AT_PROVIDER), jobs.c.finished_at.is_(None))
    .group_by(jobs.c.guild_id)
)
_ACTIVE_BY_ACCOUNT: Final = _active(jobs.c.guild_id, jobs.c.member_id)
_LIST_ACTIVE: Final = select(_ACTIVE_BY_ACCOUNT)
_NEXT_DUE: Final = select(func.min(jobs.c.due_at)).where(*HELD, jobs.c.due_at > bindparam("after"))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsAhead:
    """Jobs at providers, and queued jobs older than one job."""

    active: int
    active_of_guild: int
    before_of_guild: int
    active_of_member: int
    before_of_member: int


class QueueRepository:
    """The queue within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_claimable(
        self,
        now: datetime,
        per_member: int,
        limit: int,
        skipped: int = 0,
        *,
        models: Collection[str],
        own_models: Collection[str] = (),
        full: Collection[int] = (),
    ) -> tuple[Job, ...]:
        """Return acknowledged, due jobs of these models in fair order.

        Guilds take turns, then their members, then jobs by age. The first `skipped` jobs and those of `full` guilds
        are left out. `own_models` are those for jobs with their guild's own keys.
        """
        parameters = {
            "per_member": per_member,
            "now": now,
            "far": now + _LONGEST_WAIT,
            "most": limit,
            "skipped": skipped,
            "models": list(models),
            "own_models": list(own_models),
            "full": list(full),
        }
        return read_jobs(self._connection, self._connection.execute(_CLAIMABLE, parameters))

    def list_first(self, most: int) -> tuple[tuple[str, str | None], ...]:
        """Return (id, owner) of the first `most` waiting jobs in queue order."""
        return tuple((row.id, row.owner) for row in self._connection.execute(_FIRST, {"most": most}))

    def has_waiting(self) -> bool:
        """Return whether any job waits for a slot."""
        return bool(self._connection.execute(_HAS_WAITING).scalar_one())

    def has_waiting_own(self) -> bool:
        """Return whether a job with its guild's own keys waits for a slot."""
        return bool(self._connection.execute(_HAS_WAITING_OWN).scalar_one())

    def has_many(self, limit: int) -> bool:
        """Return whether as many jobs wait, also those without a card yet."""
        return self._connection.execute(_COUNT_SOME, {"most": limit}).scalar_one() == limit

    def count(self) -> int:
        """Return the number of jobs waiting for a slot."""
        return self._connection.execute(_COUNT).scalar_one()

    def places_of_new(self, ids: Collection[str]) -> dict[str, tuple[int, JobsAhead]]:
        """Return the queue positions of new jobs, as if acknowledged.

        With each are the jobs that have precedence over it.
        """
        rows = self._connection.execute(_LIST_WITH_NEW, {"the_ids": padded(ids)}).all()
        active = {(row.guild_id, row.member_id): row.active for row in self._connection.execute(_LIST_ACTIVE)}
        active_of_guild: Counter[int] = Counter()
        for (guild_id, _), number in active.items():
            active_of_guild[guild_id] += number
        positions = {row.id: position for position, row in enumerate(rows, 1)}
        before: Counter[int | AccountKey] = Counter()
        places = {}
        for row in sorted(rows, key=lambda row: (row.created_at, row.id)):
            account = (row.guild_id, row.member_id)
            if row.id in ids:
                ahead = JobsAhead(
                    active=active_of_guild.total(),
                    active_of_guild=active_of_guild[row.guild_id],
                    before_of_guild=before[row.guild_id],
                    active_of_member=active.get(account, 0),
                    before_of_member=before[account],
                )
                places[row.id] = positions[row.id], ahead
            before.update((row.guild_id, account))
        return places

    def jobs_ahead(self, job: Job) -> JobsAhead:
        """Count the jobs with precedence over a job, by kind."""
        parameters = {
            "the_id": job.id,
            "the_guild": job.place.guild_id,
            "the_member": job.place.member_id,
            "since": job.created_at,
        }
        return JobsAhead(**self._connection.execute(_AHEAD, parameters).one()._mapping)

    def position_of(self, job_id: str) -> int | None:
        """Return a job's queue position, from 1; None if it is not queued."""
        return self._connection.execute(_POSITION, {"the_id": job_id}).scalar()

    def count_active_by_guild(self) -> dict[int, int]:
        """Return the number of active jobs per guild."""
        return {row[0]: row[1] for row in self._connection.execute(_ACTIVE_BY_GUILD)}

    def next_due(self, after: datetime) -> datetime | None:
        """Return the due time of the next waiting retry."""
        return self._connection.execute(_NEXT_DUE, {"after": after}).scalar()
