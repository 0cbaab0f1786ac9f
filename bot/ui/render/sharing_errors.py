"""Words for errors of sharing and of its review."""

from typing import Final

from bot.domain.errors import (
    AgeRestrictedShareError,
    AlreadyDecidedError,
    AlreadySharedError,
    AnonymousOffError,
    NotShareableError,
    OwnVoteError,
    PicksPostedError,
    RefusedBeforeError,
    SharingError,
    SharingOffError,
    SubmissionClaimedError,
    SubmissionLimitError,
    SubmissionNotFoundError,
    SubmissionStateError,
)
from bot.domain.sharing.submissions import SubmissionState
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import ago, escaped, number, person
from bot.ui.render.refusal_lines import in_lines

_BY_MODERATOR: Final = {
    SubmissionState.WAITING: N_("Its member sent a changed version {when}."),
    SubmissionState.CHANGES_ASKED: N_("Too late: {moderator} asked for changes {when}."),
    SubmissionState.APPROVED: N_("Too late: {moderator} approved this {when}."),
    SubmissionState.HIDDEN: N_("Too late: this was hidden {when}, after reports."),
    SubmissionState.REFUSED: N_("Too late: {moderator} refused this {when}."),
    SubmissionState.WITHDRAWN: N_("Too late: its member withdrew this {when}."),
    SubmissionState.TAKEN_DOWN: N_("Too late: {moderator} took this down {when}."),
}
_BY_RULE: Final = {
    **_BY_MODERATOR,
    SubmissionState.APPROVED: N_("Too late: this was approved {when}, by the server's rule."),
    SubmissionState.TAKEN_DOWN: N_("Too late: this was taken down {when}."),
    SubmissionState.WITHDRAWN: N_("Too late: this was withdrawn {when}."),
}
_ENDED: Final = {
    SubmissionState.WAITING: N_("This already waits for a moderator."),
    SubmissionState.CHANGES_ASKED: N_("A moderator asked for changes, and waits for them."),
    SubmissionState.APPROVED: N_("This is in the showcase already."),
    SubmissionState.HIDDEN: N_("This is hidden until a moderator has looked at it."),
    SubmissionState.REFUSED: N_("Too late: the moderators refused this."),
    SubmissionState.WITHDRAWN: N_("Too late: this was withdrawn."),
    SubmissionState.TAKEN_DOWN: N_("Too late: this was taken down."),
}


def sharing_message(error: SharingError) -> str | None:  # noqa: PLR0911, PLR0912 - one case for each error
    """Return the words for an error of sharing."""
    match error:
        case SubmissionNotFoundError():
            return in_lines(_("This submission is gone."), _("`/share list` shows yours."))
        case SubmissionStateError():
            return _(_ENDED[SubmissionState(error.state)])
        case AlreadyDecidedError():
            state = SubmissionState(error.state)
            words = _BY_RULE[state] if error.by is None else _BY_MODERATOR[state]
            moderator = _("a moderator") if error.by is None else person(error.by)
            return _(words).format(moderator=moderator, when=ago(error.at))
        case SubmissionClaimedError():
            what = _("<@{moderator}> is looking at this.").format(moderator=error.by)
            return in_lines(what, _("It is free again {when}.").format(when=ago(error.until)))
        case AlreadySharedError(state=SubmissionState.APPROVED):
            return in_lines(_("This picture is shared already."), _("`/share list` shows where."))
        case AlreadySharedError():
            return in_lines(_("This picture is submitted already."), _("`/share list` shows where it stands."))
        case RefusedBeforeError(reason=""):
            return in_lines(_("The moderators refused this picture before."), _("Share another one."))
        case RefusedBeforeError():
            what = _("The moderators refused this picture before: {reason}").format(reason=escaped(error.reason))
            return in_lines(what, _("Share another one."))
        case SharingOffError(is_review=True):
            what = _("This server has no channel for the review of shared pictures.")
            return in_lines(what, _("An admin chooses one in `/studio setup`."))
        case SharingOffError():
            return in_lines(
                _("This server has no showcase channel yet."), _("An admin chooses one in `/studio setup`.")
            )
        case AnonymousOffError():
            return in_lines(_("This server shows who made a picture."), _("Share it with your name."))
        case PicksPostedError():
            return in_lines(_("The picks of this week are posted already."), _("The next week begins on Monday."))
        case OwnVoteError():
            return in_lines(_("This is your own picture."), _("Votes come from others."))
        case AgeRestrictedShareError():
            what = _("This was made in an age-restricted channel, and {channel} is not one.")
            how = _("An admin can make it age-restricted, or choose another channel in `/studio setup`.")
            return in_lines(what.format(channel=f"<#{error.channel_id}>"), how)
        case NotShareableError():
            what = _("This message has no pictures that you made here.")
            return in_lines(what, _("Share from a finished card of yours, or from `/history`."))
        case SubmissionLimitError():
            what = _("{count} submissions of yours wait for a moderator, and that is all that may.")
            return in_lines(
                what.format(count=number(error.limit)), _("Share more once they are decided, or withdraw one.")
            )
        case _:
            return None
