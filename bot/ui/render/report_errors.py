"""Words for errors of reports."""

from bot.domain.errors import (
    AlreadyReportedError,
    CaseClosedError,
    CaseNotFoundError,
    NothingToReportError,
    OwnPictureError,
    ReportError,
    ReportLimitError,
)
from bot.domain.reports import ReportOutcome
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import ago, number
from bot.ui.render.refusal_lines import in_lines
from bot.ui.render.report_cards import outcome_words


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
        case CaseNotFoundError():
            return _("This report's records are gone, so the button does nothing any more.")
        case CaseClosedError():
            said = outcome_words(ReportOutcome(error.outcome))
            return f"{_('Too late.')} {said.format(moderator=f'<@{error.by}>', when=ago(error.at))}."
    return None
