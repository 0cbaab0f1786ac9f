"""Earnings and costs by provider and model, from jobs and attempts."""

from decimal import Decimal
from itertools import product
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, case, func, or_, select

from bot.domain.costs import CostSource, Currency
from bot.domain.credits import RiskOutcome
from bot.domain.errors import FaultKind
from bot.domain.jobs import Outcome
from bot.domain.money import ModelMoney
from db.attempts import NANOS
from db.tables import attempts, holds, jobs, pictures, risks

_COSTS: Final = tuple(product(Currency, CostSource))
_COUNTS: Final = ("calls", "refused", "failed", "unknown", "unpriced", "possible")


def read_money(connection: Connection, month: str) -> tuple[ModelMoney, ...]:
    """Return a budget month's rows by provider and model.

    A job belongs to the month of its hold, like everything in the budget.
    """
    return tuple(_from_row(row) for row in connection.execute(_OF_MONTH, {"of_month": month}))


def read_money_of_jobs(connection: Connection, condition: ColumnElement[bool]) -> tuple[ModelMoney, ...]:
    """Return the rows of the jobs that meet a condition on their table."""
    return tuple(_from_row(row) for row in connection.execute(_by_model(condition)))


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


def _cost_column(currency: Currency, source: CostSource) -> str:
    return f"{currency}_{source}"


def _has_no_cost() -> ColumnElement[bool]:
    """Return the condition of a call with an unknown cost.

    A provider bills no refused and no cancelled call, and a failed one only if its answer had no images.
    """
    free = attempts.c.outcome.in_((Outcome.REFUSED, Outcome.CANCELLED))
    failed = and_(
        attempts.c.outcome == Outcome.FAILED,
        or_(attempts.c.fault.is_(None), attempts.c.fault != FaultKind.NO_PICTURES),
    )
    return and_(attempts.c.cost_nanos.is_(None), ~free, ~failed)


def _calls(condition: ColumnElement[bool]) -> Select[Any]:
    """Return the query for one row of each job and provider.

    `condition` chooses holds or jobs. Those with a guild's own keys cost the operator nothing.
    """
    # A dropped risk costs nothing.
    is_possible = or_(risks.c.outcome.is_(None), risks.c.outcome == RiskOutcome.OWED)
    costs = [
        func.sum(
            case(
                (
                    and_(attempts.c.cost_currency == currency, attempts.c.cost_source == source),
                    attempts.c.cost_nanos,
                ),
                else_=0,
            )
        ).label(_cost_column(currency, source))
        for currency, source in _COSTS
    ]
    made = select(func.count()).where(pictures.c.job_id == attempts.c.job_id).correlate(attempts).scalar_subquery()
    return (
        select(
            attempts.c.provider,
            jobs.c.model,
            jobs.c.charged,
            made.label("made"),
            func.row_number()
            .over(partition_by=attempts.c.job_id, order_by=func.max(attempts.c.number).desc())
            .label("place"),
            func.count().label("calls"),
            _count_if(attempts.c.outcome == Outcome.REFUSED).label("refused"),
            _count_if(attempts.c.outcome == Outcome.FAILED).label("failed"),
            _count_if(attempts.c.outcome.in_((Outcome.UNKNOWN, Outcome.LOST))).label("unknown"),
            _count_if(_has_no_cost()).label("unpriced"),
            func.sum(case((is_possible, func.coalesce(risks.c.amount, 0)), else_=0)).label("possible"),
            *costs,
        )
        .select_from(holds)
        .join(jobs, jobs.c.id == holds.c.job_id)
        .join(attempts, attempts.c.job_id == holds.c.job_id)
        .outerjoin(risks, and_(risks.c.job_id == attempts.c.job_id, risks.c.number == attempts.c.number))
        .where(condition, ~jobs.c.own_key)
        .group_by(attempts.c.job_id, attempts.c.provider, jobs.c.model, jobs.c.charged)
    )


def _by_model(condition: ColumnElement[bool]) -> Select[Any]:
    """Return the query for one row of each provider and model."""
    calls = _calls(condition).subquery()
    is_last = calls.c.place == 1
    summed = (*_COUNTS, *(_cost_column(*key) for key in _COSTS))
    return (
        select(
            calls.c.provider,
            calls.c.model,
            func.count().label("jobs"),
            _count_if(is_last).label("last_jobs"),
            func.sum(case((is_last, calls.c.made), else_=0)).label("images"),
            func.sum(case((is_last, func.coalesce(calls.c.charged, 0)), else_=0)).label("earned"),
            *(func.sum(calls.c[name]).label(name) for name in summed),
        )
        .group_by(calls.c.provider, calls.c.model)
        .order_by(calls.c.provider, calls.c.model)
    )


def _from_row(row: Row[Any]) -> ModelMoney:
    """Return the row's values; PostgreSQL sums integers as decimals."""
    values = row._mapping
    numbers = ("jobs", "last_jobs", "images", "earned", *_COUNTS)
    nanos = {key: int(values[_cost_column(*key)]) for key in _COSTS}
    return ModelMoney(
        provider=row.provider,
        model=row.model,
        costs={key: Decimal(amount) / NANOS for key, amount in nanos.items() if amount},
        **{name: int(values[name]) for name in numbers},
    )


_OF_MONTH: Final = _by_model(holds.c.month == bindparam("of_month"))
