"""Notices of decisions, for direct messages."""

from collections.abc import Mapping
from typing import Final

from discord import ui

from bot.domain.sharing.submissions import SubmissionState
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.ui.buttons import REVISE, SHARES
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import escaped
from bot.ui.render.job_card import payload_view
from bot.ui.render.sharing.challenge_card import challenge_title
from bot.ui.render.sharing.share_panels import could_not_post, post_link, state_colour, submission_name

_SHOWCASE_TITLES: Final[Mapping[SubmissionState, str]] = {
    SubmissionState.APPROVED: N_("Approved for the showcase"),
    SubmissionState.REFUSED: N_("Not approved for the showcase"),
    SubmissionState.CHANGES_ASKED: N_("A moderator asks for changes"),
    SubmissionState.TAKEN_DOWN: N_("Taken out of the showcase"),
}
_CHALLENGE_TITLES: Final[Mapping[SubmissionState, str]] = {
    SubmissionState.APPROVED: N_("Approved for the challenge"),
    SubmissionState.REFUSED: N_("Not approved for the challenge"),
    SubmissionState.CHANGES_ASKED: N_("A moderator asks for changes"),
    SubmissionState.TAKEN_DOWN: N_("Taken out of the challenge"),
}


def decision_notice(snapshot: SubmissionSnapshot, server: str | None) -> ui.LayoutView | None:
    """Return the notice of a submission's decision; None if it is none.

    `server` is the server's name, None if unknown. A button carries the submission's id: after a crash the message is
    found by that.
    """
    submission, challenge = snapshot.submission, snapshot.challenge
    title = (_SHOWCASE_TITLES if challenge is None else _CHALLENGE_TITLES).get(submission.state)
    if title is None:
        return None
    lines = [f"## {_(title)}"]
    if submission.reason:
        lines.append(_("Reason: {reason}").format(reason=escaped(submission.reason)))
    link = post_link(snapshot)
    if link is not None:
        lines.append(link)
    elif submission.state is SubmissionState.APPROVED and could_not_post(snapshot):
        lines.append(_("The showcase channel takes no post: tell an admin, `/studio setup` says why."))
    about = [submission_name(snapshot)]
    about += [] if challenge is None else [challenge_title(challenge)]
    about += [] if server is None else [escaped(server)]
    lines.append(f"-# {' · '.join(about)}")
    buttons = [REVISE.build(submission.id)] if submission.state is SubmissionState.CHANGES_ASKED else []
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=state_colour(submission.state))
    container.add_item(ui.TextDisplay("\n".join(lines)))
    container.add_item(ui.ActionRow(*buttons, SHARES.build(submission.id)))
    return payload_view(container)
