from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.allowances import (
    Allowance,
    AllowanceEntry,
    AllowanceSource,
    PeriodKind,
    applicable,
    begin_of,
    kind_of,
    period_at,
)
from bot.domain.time_zones import zone_names, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
MEMBER, OTHER = 42, 43
EVERYONE = AllowanceEntry(amount=100)


def of_role(role: int, amount: int | None, period: PeriodKind = PeriodKind.DAY) -> AllowanceEntry:
    """Return a role's entry."""
    return AllowanceEntry(role_id=role, amount=amount, period=period)


@pytest.mark.parametrize(
    ("kind", "now", "key", "begin", "end"),
    [
        (PeriodKind.DAY, "2026-11-30T23:30+01:00", "2026-11-30", "2026-11-29T23:00", "2026-11-30T23:00"),
        (PeriodKind.WEEK, "2026-11-29T23:30+01:00", "2026-W48", "2026-11-22T23:00", "2026-11-29T23:00"),
        (PeriodKind.WEEK, "2027-01-01T12:00+01:00", "2026-W53", "2026-12-27T23:00", "2027-01-03T23:00"),
        (PeriodKind.MONTH, "2026-11-30T23:30+01:00", "2026-11", "2026-10-31T23:00", "2026-11-30T23:00"),
        # The day on which summer time begins has 23 hours, the day on which it ends 25.
        (PeriodKind.DAY, "2026-03-29T12:00+02:00", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
        (PeriodKind.DAY, "2026-10-25T12:00+01:00", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),
    ],
)
def test_period_begins_at_the_servers_midnight(kind: PeriodKind, now: str, key: str, begin: str, end: str) -> None:
    period = period_at(datetime.fromisoformat(now), kind, BERLIN)
    assert (period.kind, period.key) == (kind, key)
    assert period.begin == datetime.fromisoformat(f"{begin}Z")
    assert period.end == datetime.fromisoformat(f"{end}Z")
    assert begin_of(key, BERLIN) == period.begin
    assert kind_of(key) is kind


def test_day_without_a_midnight_begins_at_its_first_time() -> None:
    """Summer time in Santiago begins at midnight."""
    zone = ZoneInfo("America/Santiago")
    day = period_at(datetime(2026, 9, 6, 12, tzinfo=zone), PeriodKind.DAY, zone)
    assert (day.begin.astimezone(zone).hour, (day.end - day.begin).total_seconds()) == (1, 23 * 3600)


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware
    kind=st.sampled_from(PeriodKind),
    name=st.sampled_from(zone_names()),
)
def test_periods_cover_all_time_without_overlap(now: datetime, kind: PeriodKind, name: str) -> None:
    zone = zone_of(name)
    period = period_at(now, kind, zone)
    assert period.begin <= now < period.end
    following = period_at(period.end, kind, zone)
    assert following.begin == period.end
    assert following.key > period.key


def test_begin_of_no_period_is_before_all_jobs() -> None:
    assert begin_of("") < datetime(1970, 1, 1, tzinfo=UTC)


def test_unknown_zone_is_utc() -> None:
    assert zone_of("Mars/Olympus") == zone_of(None) == zone_of("UTC")


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], Allowance(amount=200)),
        ([EVERYONE], Allowance(amount=100, source=AllowanceSource.SERVER)),
        ([EVERYONE, of_role(1, 50)], Allowance(amount=50, source=AllowanceSource.ROLE, role_id=1)),
        ([EVERYONE, of_role(1, 0)], Allowance(amount=0, source=AllowanceSource.ROLE, role_id=1)),
        ([of_role(1, 50), of_role(2, 60)], Allowance(amount=60, source=AllowanceSource.ROLE, role_id=2)),
        ([of_role(1, 0), of_role(2, None)], Allowance(amount=None, source=AllowanceSource.ROLE, role_id=2)),
        ([of_role(9, 900)], Allowance(amount=200)),
        (
            [of_role(1, 100), of_role(2, 701, PeriodKind.WEEK)],
            Allowance(amount=701, period=PeriodKind.WEEK, source=AllowanceSource.ROLE, role_id=2),
        ),
        (
            [of_role(1, 100), of_role(2, 3000, PeriodKind.MONTH)],
            Allowance(amount=3000, period=PeriodKind.MONTH, source=AllowanceSource.ROLE, role_id=2),
        ),
        (
            [of_role(2, None), AllowanceEntry(member_id=MEMBER, amount=5)],
            Allowance(amount=5, source=AllowanceSource.MEMBER),
        ),
        ([AllowanceEntry(member_id=OTHER, amount=None)], Allowance(amount=200)),
    ],
)
def test_members_entry_beats_roles_and_the_most_generous_role_counts(
    entries: list[AllowanceEntry], expected: Allowance
) -> None:
    assert applicable(entries, MEMBER, [1, 2], 200) == expected
    assert applicable(entries[::-1], MEMBER, [2, 1], 200) == expected
