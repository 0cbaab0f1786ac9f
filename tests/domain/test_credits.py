from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.domain.credits import (
    Account,
    Hold,
    LedgerAccount,
    Movement,
    MovementKind,
    Posting,
    decide_grant,
    decide_hold,
    decide_settlement,
    month_end,
    month_of,
    opened_period,
    period_end,
    period_of,
    unknown_cost,
)
from bot.domain.errors import InsufficientCreditsError, LedgerError

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
DAY = "2026-03-14"
NEXT_DAY = "2026-03-15"


def an_account(*, allowance: int = 0, granted: int = 0, held: int = 0, period: str = DAY) -> Account:
    """Return an account with these credits."""
    return Account(guild_id=1, member_id=2, period=period, allowance=allowance, granted=granted, held=held)


def amounts(movement: Movement) -> dict[str, int]:
    """Return the amount of each posting."""
    return {posting.account.value: posting.amount for posting in movement.postings}


def test_a_movement_sums_to_zero() -> None:
    """Postings that do not balance cannot even be made."""
    with pytest.raises(LedgerError):
        Movement(kind=MovementKind.GRANT, postings=(Posting(account=LedgerAccount.GRANTED, amount=5),))


def test_spending_draws_on_the_allowance_first() -> None:
    """What expires is spent before what stays."""
    changed, hold, movement = decide_hold(an_account(allowance=7, granted=30), "job", 12, NOW)
    assert changed == an_account(granted=25, held=12)
    assert hold == Hold(job_id="job", allowance=7, granted=5, period=DAY, month="2026-03")
    assert amounts(movement) == {"allowance": -7, "granted": -5, "held": 12}


@pytest.mark.parametrize(("amount", "left"), [(12, 25), (37, 0)])
def test_all_that_is_available_can_be_held(amount: int, left: int) -> None:
    """To the last credit."""
    changed, hold, _ = decide_hold(an_account(allowance=7, granted=30), "job", amount, NOW)
    assert changed.available == left
    assert hold.amount == amount


def test_more_than_is_available_is_refused() -> None:
    """The member is told what is missing and when there is more; what is held already does not count."""
    with pytest.raises(InsufficientCreditsError) as caught:
        decide_hold(an_account(allowance=7, granted=4, held=100), "job", 12, NOW)
    assert (caught.value.needed, caught.value.available) == (12, 11)
    assert caught.value.renews_at == datetime(2026, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_cannot_be_held_or_granted(amount: int) -> None:
    """An amount below one is a fault of ours: a hold or a grant of less than nothing would take credits."""
    with pytest.raises(LedgerError):
        decide_hold(an_account(allowance=7), "job", amount, NOW)
    with pytest.raises(LedgerError):
        decide_grant(an_account(), amount)


@pytest.mark.parametrize(
    ("charge", "allowance", "granted"),
    [(0, 7, 30), (5, 2, 30), (7, 0, 30), (9, 0, 28), (12, 0, 25)],
)
def test_what_is_not_charged_returns_to_where_it_came_from(charge: int, allowance: int, granted: int) -> None:
    """The allowance's part is charged first, and each other part goes back to its own source."""
    held, hold, _ = decide_hold(an_account(allowance=7, granted=30), "job", 12, NOW)
    settled, movement = decide_settlement(held, hold, charge)
    assert settled == an_account(allowance=allowance, granted=granted)
    assert movement.kind == (MovementKind.CAPTURE if charge else MovementKind.RELEASE)
    assert amounts(movement).get("earned", 0) == charge


def test_what_came_from_an_ended_period_expires() -> None:
    """Yesterday's credits are gone when their job fails today; granted ones are not."""
    held, hold, _ = decide_hold(an_account(allowance=7, granted=30), "job", 12, NOW)
    today, _ = opened_period(held, NEXT_DAY, 100)
    settled, movement = decide_settlement(today, hold, 0)
    assert settled == an_account(allowance=100, granted=30, period=NEXT_DAY)
    assert amounts(movement) == {"held": -12, "expired": 7, "granted": 5}


@pytest.mark.parametrize("charge", [-1, 13])
def test_no_more_than_the_hold_is_charged(charge: int) -> None:
    """Nor less than nothing."""
    held, hold, _ = decide_hold(an_account(allowance=20), "job", 12, NOW)
    with pytest.raises(LedgerError):
        decide_settlement(held, hold, charge)


def test_a_new_period_replaces_the_allowance() -> None:
    """What was left expires, the new allowance is issued, granted and held credits stay."""
    opened, movements = opened_period(an_account(allowance=3, granted=4, held=5), NEXT_DAY, 100)
    assert opened == an_account(allowance=100, granted=4, held=5, period=NEXT_DAY)
    assert [(movement.kind, amounts(movement)) for movement in movements] == [
        (MovementKind.EXPIRE, {"allowance": -3, "expired": 3}),
        (MovementKind.ALLOWANCE, {"allowance": 100, "issued": -100}),
    ]


def test_no_allowance_issues_nothing() -> None:
    """An operator may give none: then a new period has no postings of nothing."""
    opened, movements = opened_period(an_account(), NEXT_DAY, 0)
    assert (opened, movements) == (an_account(period=NEXT_DAY), ())


@pytest.mark.parametrize("period", [DAY, "2026-03-13", "2025-12-31"])
def test_a_clock_set_back_issues_nothing_twice(period: str) -> None:
    """The same day, or an earlier one, opens nothing."""
    account = an_account(allowance=3)
    assert opened_period(account, period, 100) == (account, ())


def test_a_grant_is_issued_and_does_not_expire() -> None:
    """Granted credits outlive the period."""
    granted, movement = decide_grant(an_account(allowance=3), 50)
    assert granted == an_account(allowance=3, granted=50)
    assert amounts(movement) == {"granted": 50, "issued": -50}
    assert opened_period(granted, NEXT_DAY, 10)[0].granted == 50


def test_an_unknown_cost_touches_no_member() -> None:
    """What a lost reply may cost is between the operator's own books."""
    assert amounts(unknown_cost(12)) == {"unknown": 12, "issued": -12}


@pytest.mark.parametrize(
    ("now", "day", "renews", "month", "month_renews"),
    [
        (datetime(2026, 3, 14, 23, 59, 59, tzinfo=UTC), "2026-03-14", (2026, 3, 15), "2026-03", (2026, 4, 1)),
        (datetime(2026, 12, 31, tzinfo=UTC), "2026-12-31", (2027, 1, 1), "2026-12", (2027, 1, 1)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), "2028-02-29", (2028, 3, 1), "2028-02", (2028, 3, 1)),
        (
            datetime(2026, 4, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "2026-03-31",
            (2026, 4, 1),
            "2026-03",
            (2026, 4, 1),
        ),
    ],
)
def test_periods_are_days_and_months_of_utc(
    now: datetime, day: str, renews: tuple[int, int, int], month: str, month_renews: tuple[int, int, int]
) -> None:
    """Also at the end of a year, on a leap day, and when the time is told in another zone."""
    assert (period_of(now), month_of(now)) == (day, month)
    assert period_end(now) == datetime(*renews, tzinfo=UTC)
    assert month_end(now) == datetime(*month_renews, tzinfo=UTC)
