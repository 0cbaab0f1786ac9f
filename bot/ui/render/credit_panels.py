"""Panels of `/credits`: the balance, and changes by admins."""

from discord import ui

from bot.domain.allowances import AllowanceSource
from bot.domain.jobs import Job
from bot.services.credit_administration import CreditChange
from bot.services.credits import MOST_RUNNING, Balance
from bot.ui.buttons import LEDGER, NO_TARGET
from bot.ui.i18n import _, ngettext
from bot.ui.render.allowance_words import allowance_words, used_words
from bot.ui.render.details import message_link
from bot.ui.render.formatting import ago, escaped, in_credits, number
from bot.ui.render.job_card import AMBER, GREEN, payload_view


def balance_panel(balance: Balance, *, own: bool = True) -> ui.LayoutView:
    """Return the available credits first, then their sources."""
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(_lines(balance, own=own))), accent_colour=AMBER if balance.available == 0 else GREEN
    )
    container.add_item(ui.ActionRow(LEDGER.build(NO_TARGET, search_id=f"{balance.member_id:032x}")))
    return payload_view(container)


def _lines(balance: Balance, *, own: bool) -> list[str]:
    allowance, available = balance.allowance, balance.available
    title = (
        _("Unlimited credits") if available is None else _("{credits} to spend").format(credits=in_credits(available))
    )
    lines = [f"## {title}"] if own else [f"## <@{balance.member_id}>", title]
    resets = "" if allowance.amount is None else _("resets {when}").format(when=ago(balance.renews_at))
    if allowance.amount == 0:
        lines.append(_("This server gives you no credits.") if own else _("This server gives them no credits."))
        resets = ""
    else:
        lines.append(used_words(allowance, balance.used))
    origin = allowance_words(allowance, own=own)
    lines.append(f"-# {' · '.join(each for each in (origin, resets) if each)}")
    if not balance.roles_known and allowance.source is not AllowanceSource.MEMBER:
        lines.append("-# " + _("They are not in this server, so allowances of their roles are not known."))
    if balance.is_used_elsewhere:
        lines.append("-# " + _("Premium: used in another server now"))
    if balance.granted:
        lines.append("-# " + _("{count} granted, which do not expire").format(count=number(balance.granted)))
    if balance.held:
        lines.append("-# " + _("{count} held for pictures in progress").format(count=number(balance.held)))
        lines += [f"-# {running_line(job)}" for job in balance.running[:MOST_RUNNING]]
        if len(balance.running) > MOST_RUNNING:
            lines.append("-# " + _("and others: see `/jobs list`"))
    return lines


def running_line(job: Job) -> str:
    """Return a job's price, model and card, without its prompt."""
    return f"{in_credits(job.price)} · {job_words(job)}"


def job_words(job: Job) -> str:
    """Return "2 pictures with reve-2.0" and the card's link, if any."""
    said = ngettext("{count} picture with {model}", "{count} pictures with {model}", job.request.images)
    said = said.format(count=number(job.request.images), model=job.request.model)
    link = None if job.deleted_at is not None else message_link(job)
    if link is not None:
        return f"{said} · {link}"
    return f"{said} · {_('private')}" if job.is_private else said


def granted_panel(change: CreditChange, reason: str) -> ui.LayoutView:
    """Return the note on a grant."""
    said = _("{member} got {credits}.").format(member=f"<@{change.member_id}>", credits=in_credits(change.amount))
    return _changed(change, said, _("Granted credits do not expire."), reason)


def taken_panel(change: CreditChange, reason: str) -> ui.LayoutView:
    """Return the note on credits taken back."""
    member, credits_ = f"<@{change.member_id}>", in_credits(change.amount)
    said = _("{credits} taken back from {member}.").format(credits=credits_, member=member)
    if change.amount == change.asked:
        return _changed(change, said, "", reason)
    note = _("They had no more granted credits to take; you asked for {asked}.")
    return _changed(change, said, note.format(asked=number(change.asked)), reason)


def reset_panel(change: CreditChange, reason: str) -> ui.LayoutView:
    """Return the note on a reset."""
    said = _("{member} has the whole allowance again: {credits} given back.")
    said = said.format(member=f"<@{change.member_id}>", credits=in_credits(change.amount))
    return _changed(change, said, "", reason)


def _changed(change: CreditChange, said: str, note: str, reason: str) -> ui.LayoutView:
    if change.available is None:
        now = _("Unlimited credits now, and {granted} granted").format(granted=number(change.granted))
    else:
        now = _("{credits} to spend now, {granted} of them granted").format(
            credits=in_credits(change.available), granted=number(change.granted)
        )
    lines = [said, *([note] if note else []), f"-# {now}"]
    if reason:
        lines.append("-# " + _("Reason: {reason}").format(reason=escaped(reason)))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREEN))
