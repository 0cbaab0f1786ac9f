"""Forecasts of budgets: the pace of spending, and the cost of allowances.

Days and months are of UTC, as budgets are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Final

from bot.domain.allowances import DAYS_BY_PERIOD, PeriodKind
from bot.domain.credits import Budget, month_end

PACE_DAYS: Final = 7
"""The days before today that the pace is taken from: a whole week, since weekends differ."""

_LEAST_DATA: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetForecast:
    """The pace of spending, and the day of the budget's end.

    `a_day` is credits. `ends_on` is None if the budget lasts until the end of its month, or has no limit.
    """

    a_day: int
    ends_on: date | None


def budget_forecast(
    budget: Budget, spent_by_day: Mapping[date, int], now: datetime, *, since: datetime | None = None
) -> BudgetForecast | None:
    """Return the forecast of this month's budget; None without enough data.

    `spent_by_day` has the credits of each UTC day with any, also of last month's. The pace is their average over the
    last week, of which today is only the part that has elapsed. `since` is the time of the first job: days before it
    do not count. If it is unknown, the first day with any spending begins the week.
    """
    now = now.astimezone(UTC)
    first = now.date() - timedelta(days=PACE_DAYS)
    days = [day for day in spent_by_day if first <= day <= now.date()]
    if since is not None:
        begin = max(_midnight(first), since)
    elif days:
        begin = _midnight(min(days))
    else:
        return None
    elapsed = now - begin
    if elapsed < _LEAST_DATA:
        return None
    spent = sum(spent_by_day[day] for day in days)
    pace = Fraction(spent * _microseconds(timedelta(days=1)), _microseconds(elapsed))
    return BudgetForecast(a_day=round(pace), ends_on=_end_of(budget, pace, now))


def _end_of(budget: Budget, pace: Fraction, now: datetime) -> date | None:
    if budget.left == 0:
        return now.date()
    if not pace:
        return None
    lasts = Fraction(budget.left) / pace  # days
    end = month_end(now)
    if lasts * _microseconds(timedelta(days=1)) >= _microseconds(end - now):
        return None
    return min(now + timedelta(days=float(lasts)), end - timedelta(microseconds=1)).date()


def monthly_allowance_cost(amount: int | None, period: PeriodKind, heads: int) -> int | None:
    """Return the most credits that an allowance costs in a month of 30 days.

    `heads` is the number of members with it. None if the allowance is unlimited and anybody has it.
    """
    if amount is None:
        return None if heads else 0
    return -(-amount * heads * DAYS_BY_PERIOD[PeriodKind.MONTH] // DAYS_BY_PERIOD[period])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
