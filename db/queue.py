"""The line of jobs that wait for a slot: whose turn it is, and everybody's place in it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    bindparam,
    exists,
    func,
    or_,
    select,
)

from bot.domain.jobs import AT_PROVIDER, Job
from bot.domain.models import MODEL_IDS
from db.fair_share import THE_COMMUNITY
from db.jobs import HELD, JobRepository
from db.tables import jobs, turns

_STANDS_IN_LINE: Final = (
    *HELD,
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
    members = _active(jobs.c.guild_id, jobs.c.member_id)
    communities = _active(jobs.c.guild_id)
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
            jobs.c.model,
            (of_member + func.coalesce(members.c.active, 0)).label("turn"),
            of_them.c.served_at,
        )
        .outerjoin(
            members,
            (members.c.guild_id == jobs.c.guild_id) & (members.c.member_id == jobs.c.member_id),
        )
        .outerjoin(
            of_them,
            (of_them.c.guild_id == jobs.c.guild_id) & (of_them.c.member_id == jobs.c.member_id),
        )
        .where(*_STANDS_IN_LINE)
        .subquery()
    )
    of_guild = func.row_number().over(
        partition_by=waiting.c.guild_id,
        order_by=(waiting.c.turn, waiting.c.served_at.nulls_first(), waiting.c.created_at, waiting.c.id),
    )
    line = (
        select(
            waiting.c.id,
            waiting.c.owner,
            waiting.c.created_at,
            waiting.c.due_at,
            waiting.c.guild_id,
            waiting.c.model,
            waiting.c.turn,
            waiting.c.served_at,
            of_theirs.c.served_at.label("guild_served_at"),
            (of_guild + func.coalesce(communities.c.active, 0)).label("round"),
        )
        .outerjoin(communities, communities.c.guild_id == waiting.c.guild_id)
        .outerjoin(
            of_theirs,
            (of_theirs.c.guild_id == waiting.c.guild_id) & (of_theirs.c.member_id == THE_COMMUNITY),
        )
    )
    return line if most_turns is None else line.where(waiting.c.turn <= most_turns)


def _order(line: Subquery) -> tuple[ColumnElement[Any], ...]:
    return (
        line.c.round,
        line.c.guild_served_at.nulls_first(),
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
    .where(_TURNS.c.guild_id.not_in(bindparam("full", expanding=True)))
    .order_by(*_order(_TURNS))
    .offset(bindparam("skipped"))
    .limit(bindparam("most"))
    .subquery()
)
_CLAIMABLE: Final = select(jobs).join(_CLAIMED, _CLAIMED.c.id == jobs.c.id).order_by(*_order(_CLAIMED))
_ACTIVE_BY_COMMUNITY: Final = (
    select(jobs.c.guild_id, func.count())
    .where(jobs.c.state.in_(AT_PROVIDER), jobs.c.finished_at.is_(None))
    .group_by(jobs.c.guild_id)
)
_NEXT_DUE: Final = select(func.min(jobs.c.due_at)).where(*HELD, jobs.c.due_at > bindparam("after"))


class QueueRepository:
    """The line within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        return JobRepository(self._connection).of_rows(self._connection.execute(_CLAIMABLE, parameters))

    def first(self, most: int) -> tuple[tuple[str, str | None], ...]:
        """Return (id, owner) of the first `most` that wait here for a slot, in the order in which they get one."""
        return tuple((row.id, row.owner) for row in self._connection.execute(_IN_LINE, {"most": most}))

    def any(self) -> bool:
        """Return whether anybody's job waits here for a slot."""
        return bool(self._connection.execute(_ANY_IN_LINE).scalar_one())

    def count(self) -> int:
        """Return how many jobs wait here for a slot."""
        return self._connection.execute(_COUNT_IN_LINE).scalar_one()

    def place_of(self, job_id: str) -> int | None:
        """Return a waiting job's place, from 1; None if it is in no line."""
        return self._connection.execute(_PLACE_IN_LINE, {"the_id": job_id}).scalar()

    def active_by_guild(self) -> dict[int, int]:
        """Return how many jobs of each community are at a provider, or before it."""
        return {row[0]: row[1] for row in self._connection.execute(_ACTIVE_BY_COMMUNITY)}

    def next_due(self, after: datetime) -> datetime | None:
        """Return when the next job that waits for another try is due."""
        return self._connection.execute(_NEXT_DUE, {"after": after}).scalar()
