"""Premium: purchases at Discord, for credits.

Discord calls an offer of the application a SKU, and the right to it that a purchase gives an entitlement. The operator
decides for each SKU: a grant of credits, or an allowance while the entitlement is active.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Final

from bot.domain.allowances import (
    MAX_CREDITS,
    Allowance,
    AllowanceSource,
    PeriodKind,
    PurchasedAllowance,
    generosity_of,
    kind_of,
)
from bot.domain.amounts import UNLIMITED

GRANT: Final = "grant"
ALLOWANCE: Final = "allowance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """The credits of a SKU.

    Without a `period` they are a grant. With one they are an allowance; `amount` None is unlimited then.
    """

    amount: int | None
    period: PeriodKind | None = None

    @property
    def is_grant(self) -> bool:
        """True for credits given once."""
        return self.period is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PremiumPlan:
    """The operator's benefits by SKU.

    `takes_tests`: purchases that nobody paid for count too.
    """

    benefits: Mapping[int, Benefit] = field(default_factory=dict)
    takes_tests: bool = False

    @property
    def is_on(self) -> bool:
        """True if a SKU has a benefit."""
        return bool(self.benefits)

    def benefit_of(self, entitlement: "Entitlement") -> Benefit | None:
        """Return the benefit of an entitlement, None if it has none here."""
        if entitlement.is_test and not self.takes_tests:
            return None
        return self.benefits.get(entitlement.sku_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """A right to a SKU, as Discord describes it.

    It belongs to the guild `guild_id` if that is set, else to `user_id`, its buyer. It is active from `starts_at` until
    `ends_at`, if these are set. A refund deletes it. `is_test`: nobody paid for it.
    """

    id: int
    sku_id: int
    user_id: int = 0
    guild_id: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_deleted: bool = False
    is_consumed: bool = False
    is_test: bool = False

    def is_active(self, now: datetime) -> bool:
        """Return whether it has begun and not ended."""
        return self.has_begun(now) and (self.ends_at is None or self.ends_at > now)

    def has_begun(self, now: datetime) -> bool:
        """Return whether it has begun; it may have ended."""
        return self.starts_at is None or self.starts_at <= now


class SkuKind(Enum):
    """Discord's types of SKUs for sale."""

    DURABLE = 2
    CONSUMABLE = 3
    SUBSCRIPTION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """An offer of the application. `is_sold`: people can buy it now."""

    id: int
    name: str
    kind: SkuKind
    is_sold: bool = True
    of_guild: bool = False


def parse_benefit(text: str) -> Benefit:
    """Return the benefit of `grant:500`, `allowance:1000/month` or the like.

    Raises:
        ValueError: it is none.
    """
    word, colon, value = text.strip().partition(":")
    if word == GRANT and colon:
        return Benefit(amount=_credits(value))
    if word != ALLOWANCE or not colon:
        raise ValueError("neither a grant nor an allowance")
    if value == UNLIMITED:
        return Benefit(amount=None, period=PeriodKind.MONTH)
    amount, _, period = value.partition("/")
    return Benefit(amount=_credits(amount), period=PeriodKind(period))


def _credits(digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal()) or not 1 <= int(digits) <= MAX_CREDITS:
        raise ValueError("no number of credits")
    return int(digits)


def is_fixed(allowance: Allowance) -> bool:
    """Return whether a purchase cannot replace an allowance.

    An admin set it for the member alone, or set it to 0.
    """
    is_block = allowance.amount == 0 and allowance.source is not AllowanceSource.OPERATOR
    return allowance.source is AllowanceSource.MEMBER or is_block


def with_purchases(allowance: Allowance, purchased: Iterable[PurchasedAllowance]) -> Allowance:
    """Return the more generous of an allowance and the purchased ones.

    They never add up. See `is_fixed` for what no purchase replaces.
    """
    if is_fixed(allowance):
        return allowance
    best = max(purchased, key=lambda each: (generosity_of(each.amount, each.period), each.entitlement_id), default=None)
    if best is None or generosity_of(best.amount, best.period) <= generosity_of(allowance.amount, allowance.period):
        return allowance
    return Allowance(amount=best.amount, period=best.period, source=AllowanceSource.PREMIUM, purchase=best)


def is_usable_in(purchase: PurchasedAllowance, guild_id: int, period: str) -> bool:
    """Return whether a purchase gives credits of a period in a guild.

    A member's own gives each period's credits in one guild: the first in which they are used. A period of an earlier
    time is used up too, because time zones differ.
    """
    if purchase.of_guild or not purchase.period_used or purchase.guild_id == guild_id:
        return True
    return kind_of(period) is not kind_of(purchase.period_used) or period > purchase.period_used


def used_in(purchase: PurchasedAllowance, guild_id: int, period: str) -> PurchasedAllowance:
    """Return a purchase after a use."""
    return replace(purchase, guild_id=guild_id, period_used=period)


def mistakes(benefits: Mapping[int, Benefit], skus: Iterable[Sku]) -> Iterator[tuple[int, str]]:
    """Return the SKUs with an unfit benefit, and the reasons.

    `skus` are those that the application has.
    """
    known = {sku.id: sku for sku in skus}
    for sku_id, benefit in benefits.items():
        sku = known.get(sku_id)
        if sku is None:
            yield sku_id, "the application has no such SKU"
        elif benefit.is_grant and sku.kind is SkuKind.SUBSCRIPTION:
            yield sku_id, "a subscription gives a grant once only, and not again when it is renewed"
        elif not benefit.is_grant and sku.kind is SkuKind.CONSUMABLE:
            yield sku_id, "the allowance of a consumable never ends, and nobody can buy it a second time"
