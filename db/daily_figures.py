"""Figures of one day: ended jobs, pictures, credits, costs, failed calls."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, select

from bot.domain.costs import Currency
from bot.domain.errors import FaultKind
from bot.domain.jobs import Outcome, State
from db.attempts import NANOS
from db.tables import attempts, jobs, pictures

_ENDED_THEN: Final = (jobs.c.finished_at >= bindparam("begin")) & (jobs.c.finished_at < bindparam("end"))
# A job with its guild's own keys costs the operator nothing.
_CHARGED: Final = func.sum(case((jobs.c.own_key, 0), else_=jobs.c.charged))
_JOBS: Final = (
    select(jobs.c.state, jobs.c.fault, func.count().label("number"), _CHARGED.label("charged"))
    .where(_ENDED_THEN)
    .group_by(jobs.c.state, jobs.c.fault)
)
_CALLS: Final = (
    select(
        attempts.c.provider,
        attempts.c.fault,
        attempts.c.cost_currency,
        attempts.c.outcome,
        func.count().label("number"),
        func.sum(attempts.c.cost_nanos).label("nanos"),
    )
    .join(jobs, jobs.c.id == attempts.c.job_id)
    .where(_ENDED_THEN, ~jobs.c.own_key)
    .group_by(attempts.c.provider, attempts.c.fault, attempts.c.cost_currency, attempts.c.outcome)
)
_PICTURES: Final = (
    select(func.count())
    .select_from(pictures)
    .where(pictures.c.stored_at >= bindparam("begin"), pictures.c.stored_at < bindparam("end"))
)
# The member's request was at fault, or nobody.
_HARMLESS: Final = frozenset({FaultKind.CONTENT, FaultKind.INVALID})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDay:
    """The calls to a provider of one day's jobs, and the failed ones by fault."""

    provider: str
    calls: int
    faults: Mapping[FaultKind, int]

    @property
    def failed(self) -> int:
        """Number of failed calls."""
        return sum(self.faults.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """The figures of the jobs with their end on a day.

    `faults` are those of failed and lost jobs. Jobs with a guild's own keys count in `ended`, `faults` and `pictures`
    alone. `costs` are the known ones, and `unpriced` counts the finished calls with an unknown cost. `providers` are
    those with failed calls.
    """

    ended: Mapping[State, int]
    faults: Mapping[FaultKind, int]
    pictures: int
    captured: int
    costs: Mapping[Currency, Decimal]
    unpriced: int
    providers: tuple[ProviderDay, ...]

    @property
    def success_rate(self) -> float | None:
        """Share of the jobs with pictures.

        Cancelled jobs do not count. None without any other.
        """
        counted = sum(self.ended.values()) - self.ended.get(State.CANCELLED, 0)
        return self.ended.get(State.DONE, 0) / counted if counted else None


def read_day(connection: Connection, begin: datetime, end: datetime) -> DayFigures:
    """Return the figures of the time between two instants.

    It reads all jobs: once a day, as a long-running read.
    """
    then = {"begin": begin, "end": end}
    ended: Counter[State] = Counter()
    faults: Counter[FaultKind] = Counter()
    captured = 0
    for row in connection.execute(_JOBS, then):
        ended[State(row.state)] += row.number
        captured += int(row.charged or 0)
        if row.fault is not None:
            faults[FaultKind(row.fault)] += row.number
    calls: Counter[str] = Counter()
    failed: dict[str, Counter[FaultKind]] = defaultdict(Counter)
    nanos: Counter[Currency] = Counter()
    unpriced = 0
    for row in connection.execute(_CALLS, then):
        calls[row.provider] += row.number
        if row.fault is not None and FaultKind(row.fault) not in _HARMLESS:
            failed[row.provider][FaultKind(row.fault)] += row.number
        if row.cost_currency is not None:
            nanos[Currency(row.cost_currency)] += int(row.nanos)
        elif row.outcome == Outcome.COMPLETED:
            unpriced += row.number
    return DayFigures(
        ended=ended,
        faults=faults,
        pictures=connection.execute(_PICTURES, then).scalar_one(),
        captured=captured,
        costs={currency: Decimal(amount) / NANOS for currency, amount in nanos.items()},
        unpriced=unpriced,
        providers=tuple(
            ProviderDay(provider=name, calls=calls[name], faults=each) for name, each in sorted(failed.items())
        ),
    )


def read_captured_by_day(connection: Connection, first: datetime, days: int) -> dict[date, int]:
    """Return the credits captured on each of some days with any."""
    begins = [first + timedelta(days=number) for number in range(days + 1)]
    number: ColumnElement[Any] = case(
        *((jobs.c.finished_at < begin, index) for index, begin in enumerate(begins[1:])), else_=days
    )
    statement = (
        select(number.label("day"), func.sum(jobs.c.charged).label("charged"))
        .where(jobs.c.finished_at >= begins[0], jobs.c.finished_at < begins[-1], jobs.c.charged > 0, ~jobs.c.own_key)
        .group_by("day")
    )
    return {begins[row.day].date(): int(row.charged) for row in connection.execute(statement)}
