from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.domain.allowances import MAX_CREDITS
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
    issue_on_demand,
    month_end,
    month_of,
    open_period,
    period_end,
    period_of,
    unknown_cost,
)
from bot.domain.errors import InsufficientCreditsError, LedgerError

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
DAY = "2026-03-14"
NEXT_DAY = "2026-03-15"


def make_account(
    *,
    allowance: int = 0,
    granted: int = 0,
    held: int = 0,
    period: str = DAY,
    spent: int = 0,
    issued: int | None = None,
    unlimited: bool = False,
) -> Account:
    """Return an account with these credits."""
    return Account(
        guild_id=1,
        member_id=2,
        period=period,
        allowance=allowance,
        granted=granted,
        held=held,
        spent=spent,
        issued=None if unlimited else allowance + spent if issued is None else issued,
    )


def amounts(movement: Movement) -> dict[str, int]:
    """Return the amount of each posting."""
    return {posting.account.value: posting.amount for posting in movement.postings}


def test_movement_with_unbalanced_postings_raises() -> None:
    with pytest.raises(LedgerError):
        Movement(kind=MovementKind.GRANT, postings=(Posting(account=LedgerAccount.GRANTED, amount=5),))


def test_hold_draws_on_the_allowance_first() -> None:
    changed, hold, movement = decide_hold(make_account(allowance=7, granted=30), "job", 12, NOW)
    assert changed == make_account(granted=25, held=12, spent=7)
    assert hold == Hold(job_id="job", allowance=7, granted=5, period=DAY, month="2026-03")
    assert amounts(movement) == {"allowance": -7, "granted": -5, "held": 12}


@pytest.mark.parametrize(("amount", "left"), [(12, 25), (37, 0)])
def test_hold_up_to_all_available_credits_succeeds(amount: int, left: int) -> None:
    changed, hold, _ = decide_hold(make_account(allowance=7, granted=30), "job", amount, NOW)
    assert changed.available == left
    assert hold.amount == amount


def test_hold_above_available_raises_with_amounts_and_renewal() -> None:
    """Held credits do not count as available."""
    with pytest.raises(InsufficientCreditsError) as caught:
        decide_hold(make_account(allowance=7, granted=4, held=100), "job", 12, NOW)
    assert (caught.value.needed, caught.value.available) == (12, 11)
    assert caught.value.renews_at == datetime(2026, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize("amount", [0, -1])
def test_hold_or_grant_below_one_raises(amount: int) -> None:
    with pytest.raises(LedgerError):
        decide_hold(make_account(allowance=7), "job", amount, NOW)
    with pytest.raises(LedgerError):
        decide_grant(make_account(), amount)


@pytest.mark.parametrize(
    ("charge", "allowance", "granted"),
    [(0, 7, 30), (5, 2, 30), (7, 0, 30), (9, 0, 28), (12, 0, 25)],
)
def test_settlement_returns_the_rest_to_its_sources(charge: int, allowance: int, granted: int) -> None:
    """The allowance's part is charged first."""
    held, hold, _ = decide_hold(make_account(allowance=7, granted=30), "job", 12, NOW)
    settled, movement = decide_settlement(held, hold, charge)
    assert settled == make_account(allowance=allowance, granted=granted, spent=7 - allowance)
    assert movement.kind == (MovementKind.CAPTURE if charge else MovementKind.RELEASE)
    assert amounts(movement).get("earned", 0) == charge


def test_settlement_in_later_period_expires_the_allowance_part() -> None:
    held, hold, _ = decide_hold(make_account(allowance=7, granted=30), "job", 12, NOW)
    today, _ = open_period(held, NEXT_DAY, 100)
    settled, movement = decide_settlement(today, hold, 0)
    assert settled == make_account(allowance=100, granted=30, period=NEXT_DAY)
    assert amounts(movement) == {"held": -12, "expired": 7, "granted": 5}


@pytest.mark.parametrize("charge", [-1, 13])
def test_settlement_outside_the_hold_raises(charge: int) -> None:
    held, hold, _ = decide_hold(make_account(allowance=20), "job", 12, NOW)
    with pytest.raises(LedgerError):
        decide_settlement(held, hold, charge)


def test_new_period_expires_old_and_issues_new_allowance() -> None:
    """Granted and held credits stay."""
    opened, movements = open_period(make_account(allowance=3, granted=4, held=5), NEXT_DAY, 100)
    assert opened == make_account(allowance=100, granted=4, held=5, period=NEXT_DAY)
    assert [(movement.kind, amounts(movement)) for movement in movements] == [
        (MovementKind.EXPIRE, {"allowance": -3, "expired": 3}),
        (MovementKind.ALLOWANCE, {"allowance": 100, "issued": -100}),
    ]


def test_new_period_without_allowance_has_no_postings() -> None:
    opened, movements = open_period(make_account(), NEXT_DAY, 0)
    assert (opened, movements) == (make_account(period=NEXT_DAY), ())


@pytest.mark.parametrize("period", [DAY, "2026-03-13", "2025-12-31"])
def test_same_or_earlier_period_issues_no_allowance(period: str) -> None:
    account = make_account(allowance=3, spent=97)
    assert open_period(account, period, 100) == (account, ())


def test_granted_credits_outlive_the_period() -> None:
    granted, movement = decide_grant(make_account(allowance=3), 50)
    assert granted == make_account(allowance=3, granted=50)
    assert amounts(movement) == {"granted": 50, "issued": -50}
    assert open_period(granted, NEXT_DAY, 10)[0].granted == 50


def test_unknown_cost_moves_only_the_operators_accounts() -> None:
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
def test_periods_and_months_follow_utc(
    now: datetime, day: str, renews: tuple[int, int, int], month: str, month_renews: tuple[int, int, int]
) -> None:
    """Also at a year's end, on a leap day, and for a time in another zone."""
    assert (period_of(now), month_of(now)) == (day, month)
    assert period_end(now) == datetime(*renews, tzinfo=UTC)
    assert month_end(now) == datetime(*month_renews, tzinfo=UTC)


@pytest.mark.parametrize(
    ("allowance", "left", "kind"),
    [(300, 240, MovementKind.ALLOWANCE), (80, 20, MovementKind.EXPIRE), (50, 0, MovementKind.EXPIRE)],
)
def test_changed_allowance_in_a_period_keeps_what_was_spent(allowance: int, left: int, kind: MovementKind) -> None:
    changed, movements = open_period(make_account(allowance=140, spent=60), DAY, allowance)
    assert changed == make_account(allowance=left, spent=60, issued=allowance)
    assert [movement.kind for movement in movements] == [kind]


def test_lowered_and_raised_allowance_is_no_refill() -> None:
    account = make_account(allowance=140, spent=60)
    lowered, _ = open_period(account, DAY, 0)
    assert open_period(lowered, DAY, 200)[0] == account


def test_spent_credits_count_in_a_new_period() -> None:
    """After a change of the kind of period, the same jobs count again."""
    opened, _ = open_period(make_account(allowance=140, spent=60), "2026-03", 1000, spent=90)
    assert opened == make_account(allowance=910, spent=90, issued=1000, period="2026-03")


@pytest.mark.parametrize("key", ["2026-W10", "2026-W11"])
def test_week_follows_a_day_and_a_day_follows_a_week(key: str) -> None:
    week, _ = open_period(make_account(allowance=3), key, 700)
    assert (week.period, week.allowance) == (key, 700)
    assert open_period(week, DAY, 100)[0].period == DAY


def test_unlimited_allowance_is_issued_with_the_hold() -> None:
    account, movements = open_period(make_account(allowance=40, spent=60, granted=5), DAY, None)
    assert account == make_account(spent=60, granted=5, unlimited=True)
    assert (account.available, account.can_pay(10**9)) == (None, True)
    issued, on_demand = issue_on_demand(account, 5000)
    held, hold, _ = decide_hold(issued, "job", 5000, NOW)
    assert held == make_account(spent=5060, granted=5, held=5000, unlimited=True)
    assert [amounts(each) for each in (*movements, *on_demand)] == [
        {"allowance": -40, "expired": 40},
        {"allowance": 5000, "issued": -5000},
    ]
    settled, movement = decide_settlement(held, hold, 2000)
    assert settled == make_account(spent=2060, granted=5, unlimited=True)
    assert amounts(movement) == {"held": -5000, "earned": 2000, "expired": 3000}


def test_unlimited_allowance_lost_during_a_hold_leaves_nothing_of_a_smaller_one() -> None:
    held, hold, _ = decide_hold(issue_on_demand(make_account(unlimited=True), 500)[0], "job", 500, NOW)
    limited, _ = open_period(held, DAY, 100)
    assert limited == make_account(held=500, spent=500, issued=100)
    assert decide_settlement(limited, hold, 0)[0] == make_account(allowance=100, issued=100)
    assert decide_settlement(limited, hold, 450)[0] == make_account(spent=450, issued=100)


def test_allowance_lowered_during_a_hold_takes_back_no_more_than_its_room() -> None:
    held, hold, _ = decide_hold(make_account(allowance=200), "job", 120, NOW)
    lowered, _ = open_period(held, DAY, 50)
    settled, movement = decide_settlement(lowered, hold, 0)
    assert settled == make_account(allowance=50, issued=50)
    assert amounts(movement) == {"held": -120, "allowance": 50, "expired": 70}


def test_hold_of_another_kind_of_period_counts_where_it_was_made() -> None:
    held, hold, _ = decide_hold(make_account(allowance=100), "job", 60, NOW)
    month, _ = open_period(held, "2026-03", 1000, spent=60)
    assert decide_settlement(month, hold, 0, used=0)[0].allowance == 1000
    assert decide_settlement(month, hold, 0, used=60)[0].allowance == 940
    assert decide_settlement(month, hold, 0)[0].allowance == 940


def test_grant_beyond_the_largest_account_raises() -> None:
    with pytest.raises(LedgerError):
        decide_grant(make_account(granted=1), MAX_CREDITS)
    with pytest.raises(LedgerError):
        decide_grant(make_account(), 2**63)
