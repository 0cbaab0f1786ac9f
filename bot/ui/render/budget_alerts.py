"""Alerts about budgets, for owners, log channels and the webhook."""

from typing import Final

from discord import ui

from bot.domain.credits import Budget
from bot.services.budget_alerts import BudgetAlert
from bot.ui.i18n import _
from bot.ui.render.formatting import escaped, number
from bot.ui.render.job_card import AMBER, RED, payload_view
from bot.ui.render.pause_panels import pause_all_row
from bot.ui.truncation import cut

_SPENT: Final = 100
_NAME_SHOWN: Final = 80


def budget_alert(alert: BudgetAlert) -> str:
    """Return the words about the budget of all servers."""
    title = _("The budget of {month} has reached {percentage} %.").format(
        month=alert.budget.month, percentage=number(alert.percentage)
    )
    advice = (
        _("No more pictures are made this month. Raise `MONTHLY_BUDGET` and restart the bot to go on.")
        if alert.percentage == _SPENT
        else _("At 100 % no more pictures are made until the month ends. `MONTHLY_BUDGET` sets the limit.")
    )
    return f"**{title}**\n{budget_parts(alert.budget)}\n-# {advice}"


def owner_alert(alert: BudgetAlert, guild_name: str | None) -> ui.LayoutView:
    """Return the message to an owner, with the button to pause everything."""
    text = budget_alert(alert) if alert.guild_id == 0 else _about_guild(alert, guild_name)
    colour = RED if alert.percentage == _SPENT else AMBER
    return payload_view(ui.Container(ui.TextDisplay(text), pause_all_row(), accent_colour=colour))


def guild_budget_alert(alert: BudgetAlert) -> str:
    """Return the message to a server's log channel."""
    title = _("This server's studio has reached {percentage} % of its budget of {month}.").format(
        month=alert.budget.month, percentage=number(alert.percentage)
    )
    advice = (
        _("No more pictures are made here this month. `/studio budget` shows the limits.")
        if alert.percentage == _SPENT
        else _("At 100 % no more pictures are made here until the month ends. `/studio budget` shows more.")
    )
    return f"**{title}**\n{budget_parts(alert.budget)}\n-# {advice}"


def closed_log_channel(guild_id: int, guild_name: str | None) -> str:
    """Return the message to an owner: a server's log channel is closed."""
    title = _("{server}: the log channel cannot be reached.").format(server=_server(guild_id, guild_name))
    advice = _("Alerts about its budget do not arrive there. An admin of the server can choose another channel.")
    return f"**{title}**\n-# {advice}"


def budget_parts(budget: Budget) -> str:
    """Return the parts of a month's budget, without empty ones."""
    said = _("Budget this month: {left} of {limit} left · {captured} spent")
    parts = [said.format(left=number(budget.left), limit=number(budget.limit), captured=number(budget.captured))]
    parts += [_("{held} held").format(held=number(budget.held))] if budget.held else []
    parts += [_("{risk} at risk").format(risk=number(budget.at_risk))] if budget.at_risk else []
    return " · ".join(parts)


def _about_guild(alert: BudgetAlert, guild_name: str | None) -> str:
    title = _("{server} has reached {percentage} % of its budget of {month}.").format(
        server=_server(alert.guild_id, guild_name), month=alert.budget.month, percentage=number(alert.percentage)
    )
    advice = _("Its admins see it with `/studio budget`. You limit it with `atelier budget --guild {id}`.")
    return f"**{title}**\n{budget_parts(alert.budget)}\n-# {advice.format(id=alert.guild_id)}"


def _server(guild_id: int, name: str | None) -> str:
    """Return a server's name, or its id while it is unknown."""
    if name is None:
        return _("The server {id}").format(id=guild_id)
    return _("The server {name}").format(name=escaped(cut(name, _NAME_SHOWN)))
