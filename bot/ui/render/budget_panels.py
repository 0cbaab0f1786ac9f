"""Words and panels of budgets."""

from typing import Final

from discord import ui

from bot.domain.allowances import PeriodKind
from bot.domain.budget_forecasts import BudgetForecast, monthly_allowance_cost
from bot.domain.credits import Budget
from bot.services.budgets import GuildBudget
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, in_credits, number, ordinal
from bot.ui.render.job_card import AMBER, GREEN, payload_view

# Translators: the {credits} are a phrase such as "1,200 credits".
_UP_TO: Final = {
    PeriodKind.DAY: N_("up to {credits} a day"),
    PeriodKind.WEEK: N_("up to {credits} a week"),
    PeriodKind.MONTH: N_("up to {credits} a month"),
}


def allowance_effect(amount: int | None, period: PeriodKind, heads: int, budget: int | None) -> str:
    """Return the most that an allowance costs its `heads` members together.

    Such as "up to 1,200 credits a day for 40 members: 36,000 a month, of a budget of 20,000". `budget` is the server's
    month, None if unlimited.
    """
    if amount == 0:
        said = ngettext(
            "This blocks {count} member: without granted credits they make no pictures.",
            "This blocks {count} members: without granted credits they make no pictures.",
            heads,
        )
        return said.format(count=number(heads))
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


_BLOCKS: Final = 20


def budget_panel(shown: GuildBudget, *, changed: bool = False) -> ui.LayoutView:
    """Return a server's budget: its parts, its end at this pace, its limits."""
    budget = shown.budget
    if shown.is_limited:
        title = _("{left} of {limit} credits left this month").format(
            left=number(budget.left), limit=number(budget.limit)
        )
    else:
        title = _("{credits} used this month").format(credits=in_credits(budget.used))
    lines = [_("Saved.")] if changed else []
    lines.append(f"## {title}")
    lines += [f"`{bar(budget)}`"] if shown.is_limited else []
    parts = [_("{captured} spent").format(captured=number(budget.captured))]
    parts += [_("{held} held for pictures in progress").format(held=number(budget.held))] if budget.held else []
    parts += [_("{risk} at risk").format(risk=number(budget.at_risk))] if budget.at_risk else []
    parts.append(_("renews {when}").format(when=ago(shown.renews_at)))
    lines.append("-# " + " · ".join(parts))
    lines += [_outlook(budget, shown.forecast)] if shown.is_limited else []
    lines += _limits(shown)
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREEN if shown.left else AMBER))


def bar(budget: Budget) -> str:
    """Return twenty blocks: spent █, held ▓, at risk ▒, left ░.

    Something used fills at least one, and only a whole budget fills all.
    """
    whole = max(1, budget.limit, budget.used)
    ends = [budget.captured, budget.captured + budget.held, budget.used]
    full = [max(_BLOCKS * each // whole, min(each, 1)) for each in ends]
    if budget.left == 0:
        full[-1] = _BLOCKS
    spent, held, risk = full[0], full[1] - full[0], full[2] - full[1]
    return "█" * spent + "▓" * held + "▒" * risk + "░" * (_BLOCKS - full[2])


def _outlook(budget: Budget, forecast: BudgetForecast | None) -> str:
    if budget.left == 0:
        return _("It is used up: no new pictures until it renews, or until its limit is raised.")
    if forecast is None:
        return _("A forecast needs some hours of pictures first.")
    if forecast.ends_on is None:
        return _("At this pace, {credits} a day, it lasts the month.").format(credits=in_credits(forecast.a_day))
    # Translators: {day} is an ordinal such as "23rd".
    said = _("At this pace, {credits} a day, it ends on the {day}.")
    return said.format(credits=in_credits(forecast.a_day), day=ordinal(forecast.ends_on.day))


def _limits(shown: GuildBudget) -> list[str]:
    """Return the limits with their authors."""
    limits = shown.limits
    lines = []
    if limits.admins is not None:
        lines.append(_("This server's admins set {credits} a month.").format(credits=in_credits(limits.admins)))
    if limits.operators is not None:
        given = _("The bot's operator gives this server {credits} a month.")
        lines.append(given.format(credits=in_credits(limits.operators)))
    if not shown.is_limited:
        lines.append(_("No limit is set for this server; `/studio budget` with `amount` sets one."))
    if shown.own_keys:
        lines.append(_("New pictures use this server's own keys: their providers bill this server."))
    elif not shown.is_limited or shown.of_all.left < shown.budget.left:
        all_servers = _("All servers together have {left} of {limit} left.")
        lines.append(all_servers.format(left=number(shown.of_all.left), limit=number(shown.of_all.limit)))
    return [f"-# {line}" for line in lines]
