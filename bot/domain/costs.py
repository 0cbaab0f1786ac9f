"""Costs of calls at providers and balances there, as decimal money."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Currency(StrEnum):
    """Unit of a cost."""

    USD = "usd"
    CREDITS = "credits"  # the provider's own; reve2img counts in them


class CostSource(StrEnum):
    """Source of a cost, the most reliable first."""

    REPORTED = "reported"  # the provider named the amount
    COMPUTED = "computed"  # from what it says was used, such as tokens, and its price for that
    TABLE = "table"  # the list price in the catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The operator's cost of one call: all its pictures together."""

    amount: Decimal
    currency: Currency
    source: CostSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBalance:
    """The operator's money left at a provider; negative if it is owed."""

    amount: Decimal
    currency: Currency

    def is_low(self, low: Decimal) -> bool:
        """Return whether fewer than `low` dollars are left.

        False for credits, and if `low` is 0.
        """
        return self.currency is Currency.USD and low > 0 and self.amount < low


def is_billed(cost: Cost | None) -> bool:
    """Return whether a provider bills a call."""
    return cost is not None and cost.amount > 0


def usd(amount: Decimal, source: CostSource) -> Cost:
    """Return a cost in US dollars."""
    return Cost(amount=amount, currency=Currency.USD, source=source)
