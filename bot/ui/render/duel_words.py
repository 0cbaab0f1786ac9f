"""Words for errors of duels."""

from datetime import datetime
from typing import Final

from bot.domain.errors import (
    DuelError,
    DuelGoneError,
    DuelHiddenError,
    DuelOpenError,
    OwnDuelError,
    SameModelError,
    VoteClosedError,
)
from bot.ui.i18n import _
from bot.ui.render.formatting import ago, escaped
from bot.ui.render.refusal_lines import in_lines, nothing_charged
from bot.ui.truncation import cut

_QUOTED: Final = 60


def hidden_reason() -> str:
    """Return why a duel cannot be held in a place."""
    return _("A duel needs a channel that the studio sees, and where everybody sees its answers.")


def duel_message(error: DuelError) -> str | None:
    """Return the words for an error of duels; see `error_message`."""
    match error:
        case SameModelError():
            what = _("{model} is in this duel twice.").format(model=escaped(cut(error.model, _QUOTED)))
            return in_lines(what, _("Choose two to four different models."))
        case DuelGoneError():
            return _("This duel's records are gone, so the button does nothing any more.")
        case VoteClosedError(ended_at=None):
            return _("This vote is not open.")
        case VoteClosedError(ended_at=datetime() as ended_at):
            return _("This vote ended {when}.").format(when=ago(ended_at))
        case OwnDuelError():
            return in_lines(
                _("This duel is yours: you have no vote, because your `/history` names the models."),
                _("Everybody else here can vote."),
            )
        case DuelOpenError(ends_at=None):
            return in_lines(_("This picture is in a duel that has not ended."), _("Share or edit it after the vote."))
        case DuelOpenError(ends_at=datetime() as ends_at):
            what = _("This picture is in a duel, whose vote ends {when}.").format(when=ago(ends_at))
            return in_lines(what, _("Share or edit it after the vote."))
        case DuelHiddenError():
            return nothing_charged(hidden_reason(), _("Start it in another channel."))
        case _:
            return None
