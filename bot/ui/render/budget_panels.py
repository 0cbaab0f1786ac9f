"""Words and panels of budgets."""

from bot.domain.allowances import PeriodKind
from bot.domain.budget_forecasts import monthly_allowance_cost
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import in_credits, number

# Translators: the {credits} are a phrase such as "1,200 credits".
_UP_TO = {
    PeriodKind.DAY: N_("up to {credits} a day"),
    PeriodKind.WEEK: N_("up to {credits} a week"),
    PeriodKind.MONTH: N_("up to {credits} a month"),
}


def allowance_effect(amount: int | None, period: PeriodKind, heads: int, budget: int | None) -> str:
    """Return the most that an allowance costs its `heads` members together.

    Such as "up to 1,200 credits a day for 40 members: 36,000 a month, of a budget of 20,000". `budget` is the server's
    month, None if unlimited.
    """
    cost = monthly_allowance_cost(amount, period, heads)
    members = ngettext("{count} member", "{count} members", heads).format(count=number(heads))
    if amount is None or cost is None:
        said = _("unlimited for {members}").format(members=members)
        if budget is None:
            return said
        # Translators: {allowance} is a phrase such as "unlimited for 40 members".
        return _("{allowance}, up to the budget of {budget} a month").format(allowance=said, budget=number(budget))
    up_to = _(_UP_TO[period]).format(credits=in_credits(amount * heads))
    values = {"allowance": up_to, "members": members, "cost": number(cost)}
    if period is PeriodKind.MONTH:
        said = _("{allowance} for {members}").format(**values)
    else:
        said = _("{allowance} for {members}: {cost} a month").format(**values)
    return said if budget is None else _("{cost}, of a budget of {budget}").format(cost=said, budget=number(budget))
