"""Lines of refusals."""

from bot.domain.options import OPTIONS
from bot.ui.i18n import _


def in_lines(what: str, next_step: str) -> str:
    """Return the cause and the next step, where no charge was possible."""
    return f"{what}\n{next_step}"


def nothing_charged(what: str, next_step: str) -> str:
    """Return the cause, the absence of a charge, and the next step.

    It is for refusals of what was confirmed, chosen or accepted by its price.
    """
    return f"{what} {_('Nothing was charged.')}\n{next_step}"


def option_name(option: str) -> str:
    """Return an option's name within a sentence."""
    spec = OPTIONS.get(option)
    return option if spec is None or spec.label is None else _(spec.label)
