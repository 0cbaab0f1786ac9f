"""Earnings and costs of a month, by provider and model."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.costs import CostSource, Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMoney:
    """Jobs, credits and costs of one model at one provider.

    `jobs` have a call there; `last_jobs` are those with their latest call there, so that their sum counts a job once.
    `images` and `earned`, the credits captured from members, belong to the latest call. `possible` is the price in
    credits of images without a payer that the provider billed or may have billed. `costs` are the known ones, and
    `unpriced` counts the calls with an unknown cost.
    """

    provider: str
    model: str
    jobs: int
    last_jobs: int
    images: int
    calls: int
    refused: int
    failed: int
    unknown: int
    earned: int
    possible: int
    costs: Mapping[tuple[Currency, CostSource], Decimal]
    unpriced: int

    def spent(self, currency: Currency) -> Decimal:
        """Return all known costs in a currency."""
        return sum((amount for (unit, _), amount in self.costs.items() if unit is currency), Decimal(0))
