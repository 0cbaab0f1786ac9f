"""Periods of whole days in a time zone, and sums of counts."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.statistics import Counts, Day, Period

NOON = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)


def test_period_has_whole_days_up_to_today() -> None:
    period = Period.until(NOON, 7, "UTC")
    assert period.days == tuple(date(2026, 3, 24) + timedelta(days=number) for number in range(7))
    assert (period.begin, period.end) == (datetime(2026, 3, 24, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))
    assert period.offsets == ((period.begin, 0),)


def test_period_begins_with_the_zones_day() -> None:
    """At noon in London it is tomorrow in Auckland, thirteen hours ahead."""
    period = Period.until(NOON, 1, "Pacific/Auckland")
    assert period.days == (date(2026, 3, 31),)
    assert period.begin == datetime(2026, 3, 30, 11, 0, tzinfo=UTC)


def test_period_over_summer_time_has_both_offsets() -> None:
    """Berlin's clocks went forward on 29 March 2026 at 01:00 UTC."""
    period = Period.until(NOON, 3, "Europe/Berlin")
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert period.offsets == ((period.begin, 3600), (change, 7200))
    assert period.end - period.begin == timedelta(hours=3 * 24 - 1)


def test_day_whose_midnight_is_skipped_begins_at_the_change() -> None:
    """Beirut's clocks go from 24:00 to 01:00."""
    period = Period.until(datetime(2026, 3, 29, 12, 0, tzinfo=UTC), 1, "Asia/Beirut")
    assert period.days == (date(2026, 3, 29),)
    assert period.begin == datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
    assert period.offsets == ((period.begin, 3 * 3600),)


def test_unknown_zone_is_utc() -> None:
    assert Period.until(NOON, 1, "Mars/Olympus") == Period.until(NOON, 1, "UTC") == Period.until(NOON, 1)


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu")


@given(
    zone=st.sampled_from(ZONES),
    shift=st.integers(-2_000, 2_000),
    days=st.integers(1, 400),
    part=st.integers(0, 999),
)
def test_offsets_give_the_local_day_of_every_second(zone: str, shift: int, days: int, part: int) -> None:
    now = NOON + timedelta(days=shift, hours=shift % 24)
    period = Period.until(now, days, zone)
    moment = (period.begin + (period.end - period.begin) * part / 1000).replace(microsecond=0)
    offset = [seconds for start, seconds in period.offsets if start <= moment][-1]
    assert moment.astimezone(ZoneInfo(zone)).date() == (moment + timedelta(seconds=offset)).date()
    assert period.first <= moment.astimezone(ZoneInfo(zone)).date() <= period.last
    assert period.begin <= now < period.end


@pytest.mark.parametrize(("done", "failed", "percent"), [(0, 0, None), (3, 0, 100.0), (2, 1, 66.7), (0, 2, 0.0)])
def test_success_leaves_out_cancelled_and_live_jobs(done: int, failed: int, percent: float | None) -> None:
    assert Counts(jobs=9, done=done, failed=failed).success_percent == percent


def test_total_of_a_day_sums_its_models() -> None:
    models = {"a": Counts(jobs=2, done=1, failed=1, credits=12), "b": Counts(jobs=3, done=3, credits=60)}
    total = Day(day=date(2026, 3, 30), models=models).total
    assert total == Counts(jobs=5, done=4, failed=1, credits=72)
