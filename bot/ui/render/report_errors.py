"""Words for errors of reports."""

from typing import Final

from bot.domain.errors import (
    AlreadyReportedError,
    CaseClosedError,
    CaseNotFoundError,
    NothingToReportError,
    OwnPictureError,
    PicturesHiddenError,
    ReportError,
    ReportLimitError,
)
from bot.domain.reports import ReportOutcome
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, number, person
from bot.ui.render.refusal_lines import in_lines

_OUTCOMES: Final = {
    ReportOutcome.TAKEN_DOWN: N_("Taken down by {moderator}, {when}"),
    ReportOutcome.DISMISSED: N_("Dismissed by {moderator}, {when}"),
    ReportOutcome.BANNED_FROM_SHARING: N_("Taken down, its member banned from sharing, by {moderator}, {when}"),
    ReportOutcome.BANNED_FROM_STUDIO: N_("Taken down, its member banned from the studio, by {moderator}, {when}"),
    ReportOutcome.GONE: N_("The picture was deleted, {when}"),
}


def outcome_words(outcome: ReportOutcome) -> str:
    """Return the words for a decision, with places for moderator and time."""
    return _(_OUTCOMES[outcome])


def report_message(error: ReportError) -> str | None:
    """Return the words for an error of a report."""
    match error:
        case NothingToReportError():
            return in_lines(
                _("This message has no picture of the studio in this server."),
                _("For anything else, use Discord's own *Report Message*."),
            )
        case OwnPictureError():
            return in_lines(_("This picture is yours."), _("*Delete* in the menu of its card removes it."))
        case AlreadyReportedError(is_open=True):
            return _("You reported this already. It waits for a moderator.")
        case AlreadyReportedError():
            return _("You reported this before, and a moderator has decided.")
        case ReportLimitError():
            what = ngettext(
                "You sent {count} report within a day.", "You sent {count} reports within a day.", error.limit
            )
            return in_lines(what.format(count=number(error.limit)), _("Tell a moderator, or try again tomorrow."))
        case PicturesHiddenError():
            return in_lines(
                _("Members reported this, so it is hidden until a moderator has looked."), _("Try again after that.")
            )
        case CaseNotFoundError():
            return _("This report's records are gone, so the button does nothing any more.")
        case CaseClosedError():
            said = outcome_words(ReportOutcome(error.outcome))
            return f"{_('Too late.')} {said.format(moderator=person(error.by or 0), when=ago(error.at))}."
    return None
