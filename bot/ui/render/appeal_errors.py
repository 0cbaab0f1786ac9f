"""Words for errors of appeals."""

from typing import Final

from bot.domain.appeals import AppealState
from bot.domain.errors import AppealBegunError, AppealDecidedError, AppealError, AppealGoneError, OwnAppealError
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import ago

_LATE: Final = {
    AppealState.ALLOWED: N_("Too late: {moderator} allowed this prompt {when}."),
    AppealState.EXCEPTION: N_("Too late: {moderator} added an exception {when}."),
    AppealState.KEPT: N_("Too late: {moderator} kept it refused {when}."),
}


def appeal_message(error: AppealError) -> str | None:
    """Return the words for an error of an appeal."""
    match error:
        case AppealGoneError():
            return _("The refused prompt is no longer kept, so there is nothing to appeal.")
        case AppealBegunError():
            return _("You have appealed already. A moderator has not decided yet.")
        case AppealDecidedError(by=int(by), at=at) if at is not None:
            return _(_LATE[AppealState(error.state)]).format(moderator=f"<@{by}>", when=ago(at))
        case AppealDecidedError():
            return _("A moderator decided already.")
        case OwnAppealError():
            return _("This appeal is yours. Another moderator decides.")
        case _:
            return None
