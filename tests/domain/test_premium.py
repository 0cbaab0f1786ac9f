"""Benefits of SKUs, and purchased allowances among the others."""

from datetime import UTC, datetime

import pytest

from bot.domain.allowances import Allowance, AllowanceSource, PeriodKind, PurchasedAllowance
from bot.domain.premium import (
    Benefit,
    Entitlement,
    PremiumPlan,
    Sku,
    SkuKind,
    is_usable_in,
    mistakes,
    parse_benefit,
    used_in,
    with_purchases,
)

GUILD, OTHER = 700, 701
MONTHLY = PurchasedAllowance(entitlement_id=1, amount=3000, period=PeriodKind.MONTH)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grant:500", Benefit(amount=500)),
        (" allowance:1000/month ", Benefit(amount=1000, period=PeriodKind.MONTH)),
        ("allowance:70/week", Benefit(amount=70, period=PeriodKind.WEEK)),
        ("allowance:unlimited", Benefit(amount=None, period=PeriodKind.MONTH)),
    ],
)
def test_benefit_is_read(text: str, expected: Benefit) -> None:
    assert parse_benefit(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "grant",
            "grant:",
            "grant:0",
            "grant:-5",
            "grant:1.000",
            "grant:500/month",
            "grant:1000000001",
            "grant:٣",
        ),
        *("allowance:500", "allowance:500/year", "allowance:/day", "allowance:0/day", "allowance:unlimited/day"),
        *("500", "gift:500", "allowance500/day"),
    ],
)
def test_mistyped_benefit_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the settings say what they take
        parse_benefit(text)


def of(source: AllowanceSource, amount: int | None) -> Allowance:
    """Return an allowance a day."""
    return Allowance(amount=amount, source=source)


@pytest.mark.parametrize(
    ("allowance", "is_replaced"),
    [
        (of(AllowanceSource.OPERATOR, 99), True),
        (of(AllowanceSource.OPERATOR, 0), True),
        # At the same rate the longer period counts.
        (of(AllowanceSource.OPERATOR, 100), True),
        (of(AllowanceSource.OPERATOR, 101), False),
        (of(AllowanceSource.SERVER, 10), True),
        (of(AllowanceSource.SERVER, 0), False),
        (of(AllowanceSource.ROLE, 99), True),
        (of(AllowanceSource.ROLE, 0), False),
        (of(AllowanceSource.ROLE, None), False),
        (of(AllowanceSource.MEMBER, 5), False),
        (of(AllowanceSource.MEMBER, 0), False),
    ],
)
def test_purchase_replaces_less_generous_allowance_without_adding_up(allowance: Allowance, is_replaced: bool) -> None:
    found = with_purchases(allowance, [MONTHLY])
    expected = Allowance(amount=3000, period=PeriodKind.MONTH, source=AllowanceSource.PREMIUM, purchase=MONTHLY)
    assert found == (expected if is_replaced else allowance)


def test_most_generous_of_several_purchases_counts() -> None:
    weekly = PurchasedAllowance(entitlement_id=2, amount=1000, period=PeriodKind.WEEK)
    assert with_purchases(of(AllowanceSource.OPERATOR, 0), [weekly, MONTHLY]).purchase == weekly
    unlimited = PurchasedAllowance(entitlement_id=3, amount=None, period=PeriodKind.MONTH)
    assert with_purchases(of(AllowanceSource.OPERATOR, 0), [weekly, unlimited]).amount is None


def test_members_purchase_gives_each_period_in_one_guild() -> None:
    assert is_usable_in(MONTHLY, GUILD, "2026-11")
    used = used_in(MONTHLY, GUILD, "2026-11")
    assert is_usable_in(used, GUILD, "2026-11")
    assert not is_usable_in(used, OTHER, "2026-11")
    assert is_usable_in(used, OTHER, "2026-12")
    # Where it is still October, it would be used a second time.
    assert not is_usable_in(used, OTHER, "2026-10")


def test_purchase_of_guild_is_not_used_up_by_members() -> None:
    ours = PurchasedAllowance(entitlement_id=1, amount=5, period=PeriodKind.DAY, of_guild=True, guild_id=GUILD)
    assert is_usable_in(ours, GUILD, "2026-11-30")
    assert not ours.is_unused


def test_test_purchase_counts_only_if_taken() -> None:
    bought = Entitlement(id=1, sku_id=12, user_id=42, is_test=True)
    benefit = Benefit(amount=5)
    assert PremiumPlan(benefits={12: benefit}).benefit_of(bought) is None
    assert PremiumPlan(benefits={12: benefit}, takes_tests=True).benefit_of(bought) == benefit
    assert PremiumPlan(takes_tests=True).benefit_of(bought) is None


def test_skus_that_do_not_fit_are_named() -> None:
    grant, allowance = Benefit(amount=5), Benefit(amount=5, period=PeriodKind.DAY)
    skus = [
        Sku(id=1, name="Plus", kind=SkuKind.SUBSCRIPTION),
        Sku(id=2, name="Pack", kind=SkuKind.CONSUMABLE),
        Sku(id=3, name="Lifetime", kind=SkuKind.DURABLE),
    ]
    assert list(mistakes({1: allowance, 2: grant, 3: grant}, skus)) == []
    assert [sku for sku, _ in mistakes({1: grant, 2: allowance, 3: allowance, 4: grant}, skus)] == [1, 2, 4]


def test_end_is_kept() -> None:
    ending = PurchasedAllowance(
        entitlement_id=1, amount=None, period=PeriodKind.MONTH, until=datetime(2026, 12, 30, tzinfo=UTC)
    )
    found = with_purchases(of(AllowanceSource.OPERATOR, 200), [ending]).purchase
    assert found is not None
    assert found.until == ending.until
