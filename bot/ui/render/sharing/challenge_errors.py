"""Words for errors of challenges."""

from bot.domain.errors import (
    AlreadyEnteredError,
    ChallengeError,
    ChallengeFullError,
    ChallengeGoneError,
    ChallengeLimitError,
    ChallengePlaceError,
    ChallengeStateError,
    ChallengeTimesError,
    NoVotesLeftError,
    OwnEntryError,
    PrizeError,
    RoleNeededToVoteError,
)
from bot.domain.sharing.challenges import ChallengeState
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import ago, in_credits, listed, number
from bot.ui.render.refusal_lines import in_lines


def challenge_message(error: ChallengeError) -> str | None:  # noqa: PLR0911, PLR0912 - one case for each error
    """Return the words for an error of a challenge."""
    match error:
        case ChallengeGoneError():
            return _("This challenge, or this entry, is gone.")
        case ChallengeStateError(state=ChallengeState.VOTING):
            return in_lines(_("Too late: the vote has begun."), _("Press the numbers of the entries that you like."))
        case ChallengeStateError(state=ChallengeState.OPEN):
            return _("This challenge takes no more entries, and the vote has not begun yet.")
        case ChallengeStateError():
            return _("Too late: this challenge has ended.")
        case ChallengeTimesError():
            return _("Entries and votes take an hour or more, and 30 days or less.")
        case ChallengePlaceError():
            return in_lines(
                _("The studio may not post pictures in this channel."),
                _("Give it *View Channel*, *Send Messages* and *Attach Files*, or start it in another channel."),
            )
        case ChallengeLimitError():
            what = ngettext(
                "This server has {count} challenge already.", "This server has {count} challenges already.", error.limit
            )
            return in_lines(what.format(count=number(error.limit)), _("Close or cancel one first."))
        case ChallengeFullError():
            return _("This challenge has {count} entries, and takes no more.").format(count=number(error.limit))
        case AlreadyEnteredError():
            return in_lines(
                _("You have entered a picture already."), _("Withdraw it in `/share list` to enter another.")
            )
        case OwnEntryError():
            return _("This entry is yours. Vote for others.")
        case NoVotesLeftError():
            what = ngettext(
                "You have {count} vote, and used it.", "You have {count} votes, and used them.", error.limit
            )
            return in_lines(
                what.format(count=number(error.limit)), _("Press a number that you voted for to take it back.")
            )
        case RoleNeededToVoteError():
            roles = listed([f"<@&{each}>" for each in error.roles[:5]])
            return _("In this server, {roles} may vote.").format(roles=roles)
        case PrizeError():
            what = _("The server's budget has {credits} left, which is less than the prize.")
            again = _("Choose a smaller prize, or wait for the next budget {when}.").format(when=ago(error.renews_at))
            return in_lines(what.format(credits=in_credits(error.left)), again)
        case _:
            return None
