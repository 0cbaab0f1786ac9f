"""Lone sentences about budgets."""

from typing import Final

from bot.domain.errors import BudgetLimitError
from bot.ui.i18n import _
from bot.ui.render.formatting import escaped, number
from bot.ui.truncation import cut

_TYPED_SHOWN: Final = 20


def budget_limit_refusal(error: BudgetLimitError) -> tuple[str, str]:
    """Return the cause of a refused limit, and the next step."""
    if error.by_operator:
        what = _("{amount} is more than the bot's operator gives.").format(amount=error.typed)
        return what, _("Choose {highest} or less, or `none`.").format(highest=number(error.highest))
    typed = escaped(cut(error.typed, _TYPED_SHOWN))
    what = _("“{typed}” isn't an amount of credits.").format(typed=typed)
    return what, _("Type digits only, such as `20000`, up to {highest}; or `none`.").format(
        highest=number(error.highest)
    )
