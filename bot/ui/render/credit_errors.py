"""Words for errors of credits: too few of them, and impossible changes."""

from typing import Final

from bot.domain.allowances import PeriodKind
from bot.domain.errors import (
    AllowanceMissingError,
    AllowanceTargetError,
    AmountError,
    BudgetSpentError,
    CreditChangeError,
    CreditsError,
    CreditTargetError,
    GrantTooLargeError,
    InsufficientCreditsError,
    NothingGrantedError,
    NothingUsedError,
    Remedy,
    TargetProblem,
)
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import ago, escaped, in_credits, number
from bot.ui.truncation import cut

_QUOTED: Final = 40

_REMEDIES: Final = {
    Remedy.FEWER: N_("Ask for fewer pictures."),
    Remedy.LESS_DETAIL: N_("Ask for less detail."),
    Remedy.EITHER: N_("Ask for fewer pictures or less detail."),
    Remedy.BOTH: N_("Ask for fewer pictures and less detail."),
    Remedy.NONE: N_("Choose a cheaper model or fewer options, or ask an admin for a grant."),
}
_TOO_MUCH: Final = {
    PeriodKind.DAY: N_("This costs {credits}. Your allowance is {allowance} a day, so it can never pay for this."),
    PeriodKind.WEEK: N_("This costs {credits}. Your allowance is {allowance} a week, so it can never pay for this."),
    PeriodKind.MONTH: N_("This costs {credits}. Your allowance is {allowance} a month, so it can never pay for this."),
}
_TOO_MUCH_WITH_GRANTS: Final = {
    PeriodKind.DAY: N_(
        "This costs {credits}. Your allowance is {allowance} a day, too little even with {granted} granted credits."
    ),
    PeriodKind.WEEK: N_(
        "This costs {credits}. Your allowance is {allowance} a week, too little even with {granted} granted credits."
    ),
    PeriodKind.MONTH: N_(
        "This costs {credits}. Your allowance is {allowance} a month, too little even with {granted} granted credits."
    ),
}


def credit_refusal(error: CreditsError | CreditChangeError) -> str | None:
    """Return the words for an error of credits; None for our own faults."""
    match error:
        case InsufficientCreditsError():
            return _too_expensive(error)
        case BudgetSpentError():
            if error.of_guild:
                what = _("This server's budget for this month is used up.")
            else:
                what = _("The studio's budget for this month is used up.")
            opens = _("It opens again {when}.").format(when=ago(error.renews_at))
            return f"{what} {_('Nothing was charged.')}\n{opens}"
        case CreditChangeError():
            return _impossible_change(error)
        case _:
            return None


def purchase_note() -> str:
    """Return the small print under the buttons to buy credits."""
    return "-# " + _("Bought credits count in the server where you use the studio next.")


def _too_expensive(error: InsufficientCreditsError) -> str:
    """Return the words for a price beyond the balance, or a whole period."""
    needed, available = in_credits(error.needed), number(error.available)
    resets = _("Your allowance resets {when}.").format(when=ago(error.renews_at))
    if error.allowance == 0 and not error.granted:
        return f"{_('You get no credits here.')}\n{_('Ask an admin of the server for an allowance or a grant.')}"
    if not error.exceeds_any_period:
        what = _("This takes {credits} and you have {available}.").format(credits=needed, available=available)
        if error.allowance == 0:
            resets = _("The rest of your granted credits is held for pictures in progress.")
        return f"{what}\n{resets}"
    if error.allowance == 0:
        what = _("This costs {credits}. You have no allowance, and your {granted} granted credits are too few.")
    else:
        what = _((_TOO_MUCH_WITH_GRANTS if error.granted else _TOO_MUCH)[error.period])
    what = what.format(credits=needed, allowance=number(error.allowance or 0), granted=number(error.granted))
    what = f"{what}\n{_(_REMEDIES[error.remedy])}"
    if error.remedy is Remedy.NONE:
        return what
    now = _("You have {available} now.").format(available=available)
    if error.offer is not None or error.allowance == 0:
        return f"{what}\n{now}"
    return f"{what}\n{now} {resets}"


def _impossible_change(error: CreditChangeError) -> str | None:
    """Return the words for an impossible change of credits."""
    match error:
        case AmountError():
            return _amount(error)
        case AllowanceTargetError(has_amount=True):
            said, next_step = _("A role and a member cannot be set together."), _("Set one, then the other.")
        case AllowanceTargetError():
            said = _("The amount is missing: a number, `unlimited` or `unset`.")
            next_step = _("Without any option, `/credits allowance` lists all.")
        case AllowanceMissingError():
            said, next_step = _("There is no such allowance to remove."), _("See all with `/credits allowance`.")
        case CreditTargetError(reason=TargetProblem.BOT):
            said, next_step = _("Bots have no credits."), _("Choose a member.")
        case CreditTargetError():
            said = _("This person is not in this server, and never used the studio here.")
            next_step = _("Choose a member of this server.")
        case GrantTooLargeError(room=0):
            said, next_step = _("They have as many granted credits as an account can hold."), ""
        case GrantTooLargeError():
            said = _("That is more than an account can hold.")
            next_step = _("Grant at most {room}.").format(room=number(error.room))
        case NothingGrantedError(held=0):
            said = _("They have no granted credits to take.")
            next_step = _("An allowance is changed with `/credits allowance`.")
        case NothingGrantedError():
            said = _("All of their granted credits ({held}) are held for pictures in progress.")
            said, next_step = said.format(held=number(error.held)), _("Try again when these are finished.")
        case NothingUsedError():
            said, next_step = _("None of their allowance is used, so there is nothing to give back."), ""
        case _:
            return None
    return f"{said}\n{next_step}" if next_step else said


def _amount(error: AmountError) -> str:
    said = _("“{typed}” isn't a valid amount.").format(typed=escaped(cut(error.typed, _QUOTED)))
    if error.words:
        takes = _("It takes a whole number up to {highest} in digits alone, such as 1500; or `unlimited`, or `unset`.")
    else:
        takes = _("It takes a whole number from {lowest} to {highest}.")
    return f"{said}\n{takes.format(lowest=number(error.lowest), highest=number(error.highest))}"
