"""Lines about a trial, before the call and after it."""

from decimal import Decimal
from typing import Final

from bot.domain.costs import Cost, CostSource, Currency
from bot.trial.plan import Plan
from bot.trial.session import Picture
from bot.ui.render.formatting import in_credits

_SOURCES: Final = {
    CostSource.REPORTED: "reported by the provider",
    CostSource.COMPUTED: "computed from its answer",
    CostSource.TABLE: "its list price",
}


def plan_lines(plan: Plan) -> tuple[str, ...]:
    """Return provider, model and prices."""
    remote = plan.offer.remote_model
    named = plan.request.model if remote == plan.request.model else f"{plan.request.model} ({remote})"
    dollars = "unknown" if plan.list_price is None else _dollars(plan.list_price)
    return (
        f"Provider      {plan.spec.display_name}",
        f"Model         {named}, {plan.request.aspect_ratio}",
        f"Member pays   {in_credits(plan.credits)}",
        f"List price    {dollars}",
    )


def picture_lines(picture: Picture) -> tuple[str, ...]:
    """Return the file and the cost."""
    return (
        f"Saved         {picture.path.absolute()}",
        f"Size          {picture.width}x{picture.height} pixels",
        f"Cost          {_cost(picture.cost)}",
    )


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return "unknown"
    amount = _dollars(cost.amount) if cost.currency is Currency.USD else f"{cost.amount.normalize():f} credits there"
    return f"{amount}, {_SOURCES[cost.source]}"


def _dollars(amount: Decimal) -> str:
    """Return dollars with two decimals, or as many as there are."""
    plain = f"{amount.normalize():f}"
    whole, _, rest = plain.partition(".")
    return f"${whole}.{rest:0<2}"
