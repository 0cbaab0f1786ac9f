"""Members' panels of their submissions."""

from collections.abc import Sequence
from typing import Final

import discord
from discord import ui

from bot.domain.outbox import OutboxEnd
from bot.domain.sharing.challenges import ChallengeState
from bot.domain.sharing.submissions import SubmissionState
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.ui.buttons import OLDER_SHARES, REVISE, SHARES, WITHDRAW, WITHDRAW_NOW
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, counted, escaped, outbox_link
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, GREY, RED, card_title, payload_view
from bot.ui.render.sharing.challenge_card import challenge_title
from bot.ui.truncation import cut

SUBMISSIONS_PER_PAGE: Final = 5
_REASON_SHOWN: Final = 150
_TITLE_SHOWN: Final = 80
_STATES: Final = {
    SubmissionState.WAITING: N_("Waits for a moderator · {when}"),
    SubmissionState.CHANGES_ASKED: N_("A moderator asked for changes · {when}"),
    SubmissionState.HIDDEN: N_("Hidden after reports, until a moderator has looked at it · {when}"),
    SubmissionState.REFUSED: N_("Not approved · {when}"),
    SubmissionState.WITHDRAWN: N_("Withdrawn · {when}"),
    SubmissionState.TAKEN_DOWN: N_("Taken down · {when}"),
}
_COLOURS: Final = {
    SubmissionState.WAITING: BLURPLE,
    SubmissionState.CHANGES_ASKED: AMBER,
    SubmissionState.APPROVED: GREEN,
    SubmissionState.HIDDEN: AMBER,
    SubmissionState.REFUSED: RED,
    SubmissionState.WITHDRAWN: GREY,
    SubmissionState.TAKEN_DOWN: RED,
}
_LOST: Final = {
    ChallengeState.OPEN: N_("You can enter another picture until the entries close."),
    ChallengeState.VOTING: N_("Its votes go with it, and you cannot enter another picture."),
    ChallengeState.ENDED: N_("A place that it has won stays, without picture and name."),
}


def state_colour(state: SubmissionState) -> discord.Colour:
    """Return the accent of a submission's messages."""
    return _COLOURS[state]


def post_link(snapshot: SubmissionSnapshot) -> str | None:
    """Return the address of a submission's showcase post; None without one."""
    is_shown = snapshot.submission.state is SubmissionState.APPROVED
    return outbox_link(snapshot.showcase) if is_shown else None


def could_not_post(snapshot: SubmissionSnapshot) -> bool:
    """Return whether the showcase takes no post of an approved submission."""
    return snapshot.showcase is not None and snapshot.showcase.end in (OutboxEnd.CLOSED, OutboxEnd.REFUSED)


def submission_name(snapshot: SubmissionSnapshot) -> str:
    """Return a submission's title, or else the prompt of its job."""
    title = snapshot.submission.options.title or cut(card_title(snapshot.job.request, _TITLE_SHOWN), _TITLE_SHOWN)
    return escaped(title)


def sent_panel(snapshot: SubmissionSnapshot, *, is_told: bool) -> ui.LayoutView:
    """Return the answer to a sent form.

    `is_told`: the member gets a message once it is decided.
    """
    submission = snapshot.submission
    if submission.state is SubmissionState.WAITING:
        told = _("You get a message when it is decided.") if is_told else _("`/share list` shows the decision.")
        said = f"{_('Sent to the moderators.')} {told}"
    elif submission.state is SubmissionState.APPROVED:
        said = _posted(snapshot)
    else:
        said = _state(snapshot)
    return _single(snapshot, said)


def withdraw_question(snapshot: SubmissionSnapshot) -> ui.LayoutView:
    """Return the question before a picture leaves the showcase or a challenge."""
    challenge = snapshot.challenge
    if challenge is None:
        asked = _("Take this out of the showcase?")
        lost = _("Its post goes for good, with its votes. Shared again, it starts from the beginning.")
    else:
        asked = _("Take this out of the challenge “{theme}”?").format(theme=escaped(challenge.theme))
        lost = _(_LOST[challenge.state]) if challenge.state in _LOST else ""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=AMBER)
    container.add_item(ui.TextDisplay(f"{_heading(snapshot)}\n{asked} {lost}"))
    keep = SHARES.build(snapshot.submission.id, label=_("Keep it"))
    container.add_item(ui.ActionRow(WITHDRAW_NOW.build(snapshot.submission.id), keep))
    return payload_view(container)


def withdrawn_panel(snapshot: SubmissionSnapshot) -> ui.LayoutView:
    """Return the answer to a withdrawal."""
    said = ngettext(
        "Withdrawn. You can share the picture again.",
        "Withdrawn. You can share the pictures again.",
        len(snapshot.submission.positions),
    )
    if snapshot.showcase is not None:
        said = _("Withdrawn: its post leaves the showcase within moments.")
    return _single(snapshot, said)


def submission_list(snapshots: Sequence[SubmissionSnapshot], *, is_first: bool, has_older: bool) -> ui.LayoutView:
    """Return a page of a member's submissions in a server, latest first."""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE if snapshots else GREY)
    lines = [f"## {_('Your submissions')}"]
    if not snapshots:
        lines.append(_("Nothing is shared yet."))
        lines.append(_("In a server with a showcase, *Share* is on your finished cards and in `/history`."))
    container.add_item(ui.TextDisplay("\n".join(lines)))
    for each in snapshots:
        container.add_item(ui.TextDisplay("\n".join(_entry(each))))
        buttons = _buttons(each)
        if buttons:
            container.add_item(ui.ActionRow(*buttons))
    turns = [] if is_first or not snapshots else [SHARES.build(snapshots[0].submission.id, label=_("Newest"))]
    turns += [OLDER_SHARES.build(snapshots[-1].submission.id)] if has_older else []
    if turns:
        container.add_item(ui.ActionRow(*turns))
    return payload_view(container)


def _single(snapshot: SubmissionSnapshot, said: str) -> ui.LayoutView:
    submission = snapshot.submission
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=state_colour(submission.state))
    container.add_item(ui.TextDisplay(f"{_heading(snapshot)}\n{said}"))
    container.add_item(ui.ActionRow(*_buttons(snapshot), SHARES.build(submission.id)))
    return payload_view(container)


def _heading(snapshot: SubmissionSnapshot) -> str:
    return f"### {submission_name(snapshot)}"


def _entry(snapshot: SubmissionSnapshot) -> list[str]:
    submission = snapshot.submission
    count = counted(len(submission.positions), "picture")
    about = [] if snapshot.challenge is None else [challenge_title(snapshot.challenge)]
    lines = [" · ".join([f"**{submission_name(snapshot)}**", count, *about]), _state(snapshot)]
    if submission.reason:
        reason = escaped(cut(_(submission.reason), _REASON_SHOWN))
        lines.append("-# " + _("Reason: {reason}").format(reason=reason))
    return lines


def _state(snapshot: SubmissionSnapshot) -> str:
    submission = snapshot.submission
    if submission.state is SubmissionState.APPROVED:
        return _posted(snapshot)
    return _(_STATES[submission.state]).format(when=ago(submission.at))


def _posted(snapshot: SubmissionSnapshot) -> str:
    link = post_link(snapshot)
    if link is not None:
        return _("In the showcase: {link}").format(link=link)
    if could_not_post(snapshot):
        return _("Approved, but the showcase channel takes no post: tell an admin, `/studio setup` says why.")
    channel_id = snapshot.guild.showcase_channel_id
    # A challenge's entry has no post.
    if snapshot.showcase is None:
        return _("Approved.")
    if channel_id is None:
        return _("Approved. The server has no showcase channel at the moment.")
    return _("On its way to {channel}; that takes a moment.").format(channel=f"<#{channel_id}>")


def _buttons(snapshot: SubmissionSnapshot) -> list[ui.Button[ui.LayoutView]]:
    submission = snapshot.submission
    buttons = [REVISE.build(submission.id)] if submission.state is SubmissionState.CHANGES_ASKED else []
    return [*buttons, WITHDRAW.build(submission.id)] if submission.state.is_live else buttons
