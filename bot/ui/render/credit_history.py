"""Pages of `/credits history`: movements in words."""

from typing import Final

import discord
from discord import ui

from bot.domain.credits import MovementKind
from bot.domain.ledger_entries import LedgerEntry, LedgerFilter
from bot.engine.ledger import CHANGED_REASON, PREMIUM_REASON
from bot.services.credit_history import DeletedAccount, LedgerLine, LedgerPage
from bot.services.premium import TEST_REASON
from bot.ui.buttons import LEDGER_FILTER, LEDGER_NEWER, LEDGER_OLDER, NO_TARGET
from bot.ui.i18n import N_, _
from bot.ui.render.allowance_words import used_words
from bot.ui.render.credit_panels import job_words
from bot.ui.render.formatting import escaped, moment, number, person
from bot.ui.render.job_card import BLURPLE, GREY, payload_view
from bot.ui.truncation import cut

FILTERS: Final = tuple(LedgerFilter)
"""The filters in the order of their numbers in custom ids."""

_REASON_SHOWN: Final = 150
_MINUS: Final = "\N{MINUS SIGN}"
_LABELS: Final = {
    LedgerFilter.ALL: N_("All"),
    LedgerFilter.SPENT: N_("Spent"),
    LedgerFilter.RECEIVED: N_("Received"),
}
_KINDS: Final = {
    MovementKind.ALLOWANCE: N_("allowance"),
    MovementKind.EXPIRE: N_("rest of an allowance, expired"),
}
_PURCHASES: Final = {
    MovementKind.PURCHASE: N_("Premium: bought credits"),
    MovementKind.REFUND: N_("Premium: taken back after a refund"),
}
_BY_ADMINS: Final = {
    MovementKind.GRANT: N_("granted by {actor}"),
    MovementKind.TAKE: N_("taken back by {actor}"),
    MovementKind.RESET: N_("used allowance, given back by {actor}"),
}


def ledger_page(page: LedgerPage, *, own: bool) -> ui.LayoutView:
    """Return a page of movements, the latest first, with its buttons."""
    title = _("Your credits") if own else _("Credits of {member}").format(member=f"<@{page.member_id}>")
    lines = [f"## {title}"]
    for line in page.lines:
        lines += _line_words(line)
    if page.deleted is not None:
        lines += _deleted_words(page.deleted, own=own)
    elif not page.lines:
        lines.append(_("Nothing here yet."))
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE if page.lines else GREY
    )
    container.add_item(ui.ActionRow(*_filters(page)))
    if page.newer or page.older:
        container.add_item(ui.ActionRow(*_turns(page)))
    return payload_view(container)


def _deleted_words(account: DeletedAccount, *, own: bool) -> list[str]:
    """Return the note on deleted movements, and the used allowance."""
    said = (
        _("Earlier entries were deleted with your data.") if own else _("Earlier entries were deleted with their data.")
    )
    return [said] if account.allowance.amount == 0 else [said, used_words(account.allowance, account.used)]


def _filters(page: LedgerPage) -> list[ui.Button[ui.LayoutView]]:
    buttons = []
    for place, each in enumerate(FILTERS):
        button = LEDGER_FILTER.build(
            NO_TARGET, label=_(_LABELS[each]), picture=place, search_id=_of_member(page), disabled=each is page.shown
        )
        if each is page.shown:
            button.style = discord.ButtonStyle.primary
        buttons.append(button)
    return buttons


def _turns(page: LedgerPage) -> list[ui.Button[ui.LayoutView]]:
    picture, member = FILTERS.index(page.shown), _of_member(page)
    first, last = page.lines[0].entry.id, page.lines[-1].entry.id
    return [
        LEDGER_NEWER.build(first, picture=picture, search_id=member, disabled=not page.newer),
        LEDGER_OLDER.build(last, picture=picture, search_id=member, disabled=not page.older),
    ]


def _of_member(page: LedgerPage) -> str:
    return f"{page.member_id:032x}"


def _line_words(line: LedgerLine) -> list[str]:
    """Return the amount with its cause, and small below it the time."""
    entry = line.entry
    job = None if line.job is None else job_words(line.job)
    small = [moment(entry.at)]
    match entry.kind:
        case MovementKind.HOLD:
            amount, cause = -entry.held, job or _("a job")
            small.append(_("held, in progress"))
        case MovementKind.CAPTURE:
            amount, cause = -entry.charged, job or _("a job")
            returned = -entry.held - entry.charged
            if returned:
                small.append(_("{count} more were held and returned").format(count=number(returned)))
        case MovementKind.RELEASE:
            amount, cause = 0, job or _("a job")
            small.append(_("nothing charged, {count} returned").format(count=number(-entry.held)))
        case MovementKind.PURCHASE | MovementKind.REFUND:
            amount, cause = entry.change, _(_PURCHASES[entry.kind])
            if entry.reason == TEST_REASON:
                small.append(_("a test, which nobody paid for"))
        case MovementKind.GRANT | MovementKind.TAKE | MovementKind.RESET:
            amount, cause = entry.change, _(_BY_ADMINS[entry.kind]).format(actor=_actor(entry))
            if entry.reason:
                small.append(escaped(cut(entry.reason, _REASON_SHOWN)))
        case _ if entry.reason == PREMIUM_REASON:
            amount, cause = entry.change, _("Premium allowance")
        case _:
            changed = entry.reason == CHANGED_REASON
            amount, cause = entry.change, _("allowance changed") if changed else _(_KINDS[entry.kind])
    return [f"**{signed(amount)}** {cause}", f"-# {' · '.join(small)}"]


def _actor(entry: LedgerEntry) -> str:
    return person(entry.actor_id) if entry.actor_id else _("the operator")


def signed(amount: int) -> str:
    """Return "+12", "-12" with a true minus sign, or "0"."""
    if amount < 0:
        return f"{_MINUS}{number(-amount)}"
    return f"+{number(amount)}" if amount else "0"
