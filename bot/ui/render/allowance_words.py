"""Allowances, their periods and their origins in words."""

from typing import Final

from bot.domain.allowances import Allowance, AllowanceEntry, AllowanceSource, PeriodKind
from bot.domain.pseudonyms import is_pseudonym
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import day, in_credits, number

# Translators: {credits} is a phrase such as "200 credits".
_A_PERIOD: Final = {
    PeriodKind.DAY: N_("{credits} a day"),
    PeriodKind.WEEK: N_("{credits} a week"),
    PeriodKind.MONTH: N_("{credits} a month"),
}
_USED: Final = {
    PeriodKind.DAY: N_("{used} of {all} used today"),
    PeriodKind.WEEK: N_("{used} of {all} used this week"),
    PeriodKind.MONTH: N_("{used} of {all} used this month"),
}
_USED_UNLIMITED: Final = {
    PeriodKind.DAY: N_("{used} used today, without a limit"),
    PeriodKind.WEEK: N_("{used} used this week, without a limit"),
    PeriodKind.MONTH: N_("{used} used this month, without a limit"),
}
_BLOCKS: Final = 10


def amount_words(amount: int | None, period: PeriodKind) -> str:
    """Return "200 credits a day", "unlimited" or "no credits"."""
    if amount is None:
        return _("unlimited")
    return _(_A_PERIOD[period]).format(credits=in_credits(amount)) if amount else _("no credits")


def used_words(allowance: Allowance, used: int) -> str:
    """Return a bar and "12 of 200 used today"; without a limit, no bar."""
    if allowance.amount is None:
        return _(_USED_UNLIMITED[allowance.period]).format(used=in_credits(used))
    said = _(_USED[allowance.period]).format(used=number(used), all=number(allowance.amount))
    return f"{bar(used, allowance.amount)} {said}"


def bar(used: int, whole: int) -> str:
    """Return ten blocks, filled as far as the allowance is used.

    Something used fills at least one, and something left leaves at least one.
    """
    filled = round(_BLOCKS * min(used, whole) / whole)
    if 0 < used < whole:
        filled = min(_BLOCKS - 1, max(1, filled))
    return "█" * filled + "░" * (_BLOCKS - filled)


def origin_words(allowance: Allowance, *, own: bool) -> str:
    """Return the origin of an allowance as a phrase."""
    match allowance.source:
        case AllowanceSource.MEMBER:
            return _("set for you alone") if own else _("set for this member alone")
        case AllowanceSource.ROLE:
            return _("from {role}").format(role=f"<@&{allowance.role_id}>")
        case AllowanceSource.SERVER:
            return _("from the server's allowance for everyone")
        case AllowanceSource.OPERATOR:
            return _("from the operator's default")
        case AllowanceSource.LAST:
            return _("the one last in force")
        case AllowanceSource.PREMIUM:
            return _("from Premium")


def allowance_words(allowance: Allowance, *, own: bool) -> str:
    """Return an allowance with its origin, and its end if it has one."""
    amount = amount_words(allowance.amount, allowance.period)
    if allowance.source is not AllowanceSource.PREMIUM:
        return f"{amount}, {origin_words(allowance, own=own)}"
    until = None if allowance.purchase is None else allowance.purchase.until
    if until is None:
        return _("Premium: {allowance}").format(allowance=amount)
    return _("Premium: {allowance} until {date}").format(allowance=amount, date=day(until))


def holder_words(entry: AllowanceEntry, *, is_gone: bool = False) -> str:
    """Return the holder of an entry."""
    if is_pseudonym(entry.member_id):
        return _("a deleted member")
    if entry.member_id:
        return f"<@{entry.member_id}>"
    if entry.role_id:
        return _("deleted role") if is_gone else f"<@&{entry.role_id}>"
    return _("Everyone")
