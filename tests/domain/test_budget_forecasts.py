"""Forecasts of budgets, and the cost of allowances."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.allowances import PeriodKind
from bot.domain.budget_forecasts import BudgetForecast, budget_forecast, monthly_allowance_cost
from bot.domain.credits import Budget, month_of

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)


def budget(limit: int = 20_000, captured: int = 0, month: str = "2026-11") -> Budget:
    return Budget(month=month, limit=limit, captured=captured)


def days_before(now: datetime, *amounts: int) -> dict[date, int]:
    """Return credits of today, yesterday, and so on."""
    return {(now - timedelta(days=each)).date(): amount for each, amount in enumerate(amounts)}


def test_forecast_at_a_steady_pace_names_the_day_the_budget_ends() -> None:
    spent = days_before(NOON, 500, *[1_000] * 7)
    # 12,500 left at 1,000 a day: twelve and a half days, which is midnight of the 28th.
    assert budget_forecast(budget(captured=7_500), spent, NOON) == BudgetForecast(
        a_day=1_000, ends_on=date(2026, 11, 28)
    )


def test_forecast_of_a_budget_beyond_the_month_has_no_end() -> None:
    assert budget_forecast(budget(captured=4_000), days_before(NOON, 500, *[1_000] * 7), NOON) == BudgetForecast(
        a_day=1_000, ends_on=None
    )


def test_forecast_of_a_spent_budget_ends_today() -> None:
    forecast = budget_forecast(budget(captured=20_000), days_before(NOON, 500, *[1_000] * 7), NOON)
    assert forecast is not None
    assert forecast.ends_on == NOON.date()


def test_forecast_with_few_hours_of_data_is_none() -> None:
    morning = NOON.replace(hour=5, minute=59)
    assert budget_forecast(budget(), {morning.date(): 300}, morning) is None
    assert budget_forecast(budget(), {NOON.date(): 300}, NOON, since=NOON - timedelta(hours=5)) is None
    assert budget_forecast(budget(), {}, NOON) is None


def test_forecast_with_the_first_job_known_counts_from_it() -> None:
    since = NOON - timedelta(hours=12)
    assert budget_forecast(budget(), {NOON.date(): 300}, NOON, since=since - timedelta(hours=12)) == BudgetForecast(
        a_day=300, ends_on=None
    )


def test_forecast_after_days_without_jobs_counts_them() -> None:
    spent = {date(2026, 11, 8): 7_500}
    forecast = budget_forecast(budget(), spent, NOON, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert forecast == BudgetForecast(a_day=1_000, ends_on=None)


def test_forecast_on_the_first_of_a_month_uses_the_month_before() -> None:
    first = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
    spent = days_before(first, 0, *[2_000] * 7)
    forecast = budget_forecast(budget(month="2026-12"), spent, first)
    assert forecast is not None
    assert forecast.ends_on == date(2026, 12, 11)


def test_forecast_in_another_zone_counts_days_of_utc() -> None:
    spent = days_before(NOON, 500, *[1_000] * 7)
    abroad = NOON.astimezone(ZoneInfo("Pacific/Auckland"))
    assert budget_forecast(budget(captured=7_500), spent, abroad) == budget_forecast(
        budget(captured=7_500), spent, NOON
    )


MOMENTS = st.datetimes(min_value=datetime(2026, 1, 10), max_value=datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis takes the zone apart
CREDITS = st.integers(min_value=0, max_value=1_000_000)


@given(now=MOMENTS, limit=CREDITS, used=CREDITS, amounts=st.lists(CREDITS, min_size=1, max_size=20))
def test_forecast_always_ends_in_the_month_and_not_before_today(
    now: datetime, limit: int, used: int, amounts: list[int]
) -> None:
    forecast = budget_forecast(budget(limit=limit, captured=used, month=month_of(now)), days_before(now, *amounts), now)
    if forecast is None:
        assert len(amounts) == 1
    elif forecast.ends_on is not None:
        assert forecast.ends_on >= now.date()
        assert month_of(now) == f"{forecast.ends_on:%Y-%m}"
    else:
        assert used < limit


@given(now=MOMENTS, limit=CREDITS, more=CREDITS, amounts=st.lists(CREDITS, min_size=2, max_size=8))
def test_forecast_with_a_larger_budget_never_ends_earlier(
    now: datetime, limit: int, more: int, amounts: list[int]
) -> None:
    spent = days_before(now, *amounts)
    small, large = (budget_forecast(budget(limit=each), spent, now) for each in (limit, limit + more))
    assert small is not None
    assert large is not None
    assert (large.ends_on or date.max) >= (small.ends_on or date.max)


def test_allowance_cost_by_period_is_the_most_of_30_days() -> None:
    assert monthly_allowance_cost(30, PeriodKind.DAY, 40) == 36_000
    assert monthly_allowance_cost(70, PeriodKind.WEEK, 1) == 300
    assert monthly_allowance_cost(100, PeriodKind.WEEK, 1) == 429
    assert monthly_allowance_cost(500, PeriodKind.MONTH, 3) == 1_500


def test_allowance_cost_if_unlimited_is_unknown_unless_nobody_has_it() -> None:
    assert monthly_allowance_cost(None, PeriodKind.DAY, 1) is None
    assert monthly_allowance_cost(None, PeriodKind.DAY, 0) == 0
    assert monthly_allowance_cost(0, PeriodKind.DAY, 1_000) == 0
