"""Statistics of jobs, for one server or for all.

A day is a day of the period's time zone: the database adds the zone's offset to the time in seconds. So one pass over
the period's jobs is enough, and both kinds of database agree.
"""

from datetime import date
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    desc,
    func,
    literal,
    literal_column,
    nulls_first,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from bot.domain.jobs import State
from bot.domain.statistics import TOP_MEMBERS, Counts, Day, MemberCredits, Period, RoleCredits, Statistics, Waiting
from db.money import read_money_of_jobs
from db.tables import holds, jobs

_DAY_SECONDS: Final = 86_400
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MEDIAN_PERCENT: Final = 50
_LATE_PERCENT: Final = 90
_CREDITS: Final = func.coalesce(jobs.c.charged, 0)


def read_statistics(
    connection: Connection, period: Period, *, guild_id: int | None = None, with_money: bool = False
) -> Statistics:
    """Return a period's statistics of one guild, or of all."""
    chosen = _chosen(period, guild_id)
    counts = _counts_by_day(connection, period, chosen)
    waiting = _waiting(connection, _local_day(period), chosen)
    days = tuple(
        Day(day=day, models=counts.get(day, {}), waiting=waiting.get(day.toordinal() - _EPOCH_DAY))
        for day in period.days
    )
    members, (other_members, other_jobs, other_credits) = _by_member(connection, chosen)
    return Statistics(
        period=period,
        days=days,
        members=members,
        other_members=other_members,
        other_jobs=other_jobs,
        other_credits=other_credits,
        roles=_by_role(connection, chosen),
        waiting=_waiting(connection, literal_column("0", Integer), chosen).get(0),
        money=read_money_of_jobs(connection, chosen) if with_money else None,
    )


class _epoch_second(GenericFunction[int]):  # noqa: N801 - named as a function of SQL
    """A time's whole seconds since 1970."""

    type = BigInteger()
    inherit_cache = True


@compiles(_epoch_second, "sqlite")
def _for_sqlite(element: _epoch_second, compiler: SQLCompiler, **options: Any) -> str:
    # The first 19 characters have no fraction: SQLite rounds it, and PostgreSQL's `floor` does not.
    return f"CAST(strftime('%s', substr({compiler.process(element.clauses, **options)}, 1, 19)) AS INTEGER)"


@compiles(_epoch_second, "postgresql")
def _for_postgresql(element: _epoch_second, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(floor(EXTRACT(epoch FROM {compiler.process(element.clauses, **options)})) AS BIGINT)"


def _chosen(period: Period, guild_id: int | None) -> ColumnElement[bool]:
    of_period = and_(jobs.c.created_at >= period.begin, jobs.c.created_at < period.end)
    return of_period if guild_id is None else and_(jobs.c.guild_id == guild_id, of_period)


def _local_day(period: Period) -> ColumnElement[int]:
    """Return the expression for a job's day, counted from 1970."""
    *earlier, (_, offset) = period.offsets
    seconds: ColumnElement[int] = literal(offset, BigInteger)
    if earlier:
        ends = [end for end, _ in period.offsets[1:]]
        branches = [
            (jobs.c.created_at < end, literal(value, BigInteger)) for end, (_, value) in zip(ends, earlier, strict=True)
        ]
        seconds = case(*branches, else_=seconds)
    return (_epoch_second(jobs.c.created_at) + seconds) // _DAY_SECONDS


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _counts_by_day(
    connection: Connection, period: Period, chosen: ColumnElement[bool]
) -> dict[date, dict[str, Counts]]:
    day = _local_day(period).label("day")
    statement = (
        select(
            day,
            jobs.c.model,
            func.count(),
            _count_if(jobs.c.state == State.DONE),
            _count_if(jobs.c.state.in_((State.FAILED, State.LOST))),
            func.sum(_CREDITS),
        )
        .where(chosen)
        .group_by(day, jobs.c.model)
        .order_by(day, jobs.c.model)
    )
    found: dict[date, dict[str, Counts]] = {}
    for number, model, *sums in connection.execute(statement):
        made, done, failed, captured = map(int, sums)
        counts = Counts(jobs=made, done=done, failed=failed, credits=captured)
        found.setdefault(date.fromordinal(number + _EPOCH_DAY), {})[model] = counts
    return found


def _waiting(connection: Connection, group: ColumnElement[int], chosen: ColumnElement[bool]) -> dict[int, Waiting]:
    """Return the waiting times of the done jobs of each group.

    They are the smallest time that the percentage of the jobs did not exceed.
    """
    seconds = _epoch_second(jobs.c.finished_at) - _epoch_second(jobs.c.created_at)
    timed = (
        select(group.label("group"), seconds.label("seconds"))
        .where(chosen, jobs.c.state == State.DONE, jobs.c.finished_at.is_not(None))
        .subquery()
    )
    ranked = select(
        timed.c.group,
        timed.c.seconds,
        func.row_number().over(partition_by=timed.c.group, order_by=timed.c.seconds).label("place"),
        func.count().over(partition_by=timed.c.group).label("jobs"),
    ).subquery()
    statement = select(
        ranked.c.group, *(_percentile(ranked, percent) for percent in (_MEDIAN_PERCENT, _LATE_PERCENT))
    ).group_by(ranked.c.group)
    return {
        each: Waiting(median=max(0, int(median)), late=max(0, int(late)))
        for each, median, late in connection.execute(statement)
    }


def _percentile(ranked: Any, percent: int) -> ColumnElement[Any]:
    reached = ranked.c.place * 100 >= ranked.c.jobs * percent
    return func.min(case((reached, ranked.c.seconds)))


def _by_member(
    connection: Connection, chosen: ColumnElement[bool]
) -> tuple[tuple[MemberCredits, ...], tuple[int, int, int]]:
    """Return the top members, then the others' number, jobs and credits.

    Windows over the groups sum what the limit cuts off.
    """
    captured, made = func.sum(_CREDITS), func.count()
    statement = (
        select(
            jobs.c.member_id,
            made,
            captured,
            func.count().over(),
            func.sum(made).over(),
            func.sum(captured).over(),
        )
        .where(chosen)
        .group_by(jobs.c.member_id)
        .order_by(desc(captured), desc(made), jobs.c.member_id)
        .limit(TOP_MEMBERS)
    )
    rows = [tuple(map(int, row)) for row in connection.execute(statement)]
    if not rows:
        return (), (0, 0, 0)
    top = tuple(MemberCredits(member_id=row[0], jobs=row[1], credits=row[2]) for row in rows)
    members, all_jobs, all_credits = rows[0][3:]
    others = (
        members - len(top),
        all_jobs - sum(each.jobs for each in top),
        all_credits - sum(each.credits for each in top),
    )
    return top, others


def _by_role(connection: Connection, chosen: ColumnElement[bool]) -> tuple[RoleCredits, ...]:
    statement = _roles().where(chosen)
    return tuple(
        RoleCredits(role_id=role_id, jobs=int(made), credits=int(captured))
        for role_id, made, captured in connection.execute(statement)
    )


def _roles() -> Select[Any]:
    captured = func.sum(_CREDITS)
    return (
        select(holds.c.role_id, func.count(), captured)
        .select_from(jobs)
        .join(holds, holds.c.job_id == jobs.c.id)
        .group_by(holds.c.role_id)
        .order_by(desc(captured), nulls_first(holds.c.role_id))
    )
