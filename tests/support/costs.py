"""Costs of calls."""

from decimal import Decimal

from bot.domain.costs import Cost, CostSource, Currency


def in_credits(amount: float) -> Cost:
    """Return a reported cost in the provider's own credits."""
    return Cost(amount=Decimal(str(amount)), currency=Currency.CREDITS, source=CostSource.REPORTED)
