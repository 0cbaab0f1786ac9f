"""A submission's card for the moderators. Pure functions."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

import discord
from discord import ui

from bot.domain.audit_log import AuditEntry
from bot.domain.bans import BanScope
from bot.domain.outbox import OutboxEnd
from bot.domain.sharing.submissions import Flag, FlagKind, MemberRecord, Submission, SubmissionState
from bot.services.sharing.snapshots import SubmissionSnapshot
from bot.ui.buttons import (
    POST_AGAIN,
    REVIEW_APPROVE,
    REVIEW_ASK,
    REVIEW_PROMPT,
    REVIEW_REFUSE,
    REVIEW_SHOW,
    REVIEW_SPOILER,
    REVIEW_TAKE_DOWN,
    custom_id,
)
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, alternative, escaped, first_of, number, person, together
from bot.ui.render.job_card import AMBER, GREEN, GREY, RED, Attached, asked, card_title, payload_view
from bot.ui.truncation import cut

REVISIONS: Final = 100
"""A custom id holds the revision modulo this."""
OTHER_REASON: Final = "other"
REASON: Final = "reason:"
"""The beginning of a reason among the values of the menu."""
BAN_VALUES: Final = {BanScope.SHARING: "ban:sharing", BanScope.STUDIO: "ban:studio"}

_PROMPT_SHOWN: Final = 450
_REASON_SHOWN: Final = 300
_ASKED_SHOWN: Final = 3
_ANSWER_SHOWN: Final = 60
_DETAIL_SHOWN: Final = 40
_MOST_FLAG_NAMES: Final = 2
_LONGEST_OPTION: Final = 100
# With the three other entries the menu has 25.
_MOST_REASONS: Final = 22
_COLOURS: Final = {
    SubmissionState.WAITING: AMBER,
    SubmissionState.CHANGES_ASKED: GREY,
    SubmissionState.APPROVED: GREEN,
    SubmissionState.HIDDEN: AMBER,
    SubmissionState.REFUSED: RED,
    SubmissionState.WITHDRAWN: GREY,
    SubmissionState.TAKEN_DOWN: RED,
}
_BY_MODERATOR: Final = {
    SubmissionState.CHANGES_ASKED: N_("Changes asked for by {moderator}, {when}"),
    SubmissionState.APPROVED: N_("Approved by {moderator}, {when}"),
    SubmissionState.REFUSED: N_("Refused by {moderator}, {when}"),
    SubmissionState.TAKEN_DOWN: N_("Taken down by {moderator}, {when}"),
}
_STATES: Final = {
    SubmissionState.WAITING: N_("Waits for a decision · {when}"),
    SubmissionState.CHANGES_ASKED: N_("Changes asked for {when}"),
    SubmissionState.APPROVED: N_("Approved by the server's rule, {when}"),
    SubmissionState.HIDDEN: N_("Hidden after reports, {when} · waits for a decision"),
    SubmissionState.REFUSED: N_("Refused {when}"),
    SubmissionState.WITHDRAWN: N_("Withdrawn {when}"),
    SubmissionState.TAKEN_DOWN: N_("Taken down {when}"),
}
_FLAGS: Final = {
    FlagKind.AGE_RESTRICTED: N_("Made in an age-restricted channel"),
    FlagKind.FIRST: N_("New to sharing here"),
    FlagKind.LIKE_TAKEN_DOWN: N_("Similar to a picture that was taken down"),
    FlagKind.PROMPT_RULE: N_("A prompt rule that is only tried out matches"),
    FlagKind.REPORTED: N_("Reported by members"),
}
_BY_WEIGHT: Final = (
    FlagKind.LIKE_TAKEN_DOWN,
    FlagKind.REPORTED,
    FlagKind.AGE_RESTRICTED,
    FlagKind.PROMPT_RULE,
    FlagKind.FIRST,
)
_SPOILERED: Final = (FlagKind.AGE_RESTRICTED, FlagKind.LIKE_TAKEN_DOWN, FlagKind.REPORTED)
_WITHOUT_PICTURES: Final = (SubmissionState.WITHDRAWN, SubmissionState.TAKEN_DOWN)


def shows_pictures(submission: Submission) -> bool:
    """Return whether the card of a submission has its pictures."""
    return submission.state not in _WITHOUT_PICTURES


def is_unposted(snapshot: SubmissionSnapshot) -> bool:
    """Return whether an approved submission could not be posted."""
    post = snapshot.showcase
    is_approved = snapshot.submission.state is SubmissionState.APPROVED
    return is_approved and post is not None and post.end in (OutboxEnd.CLOSED, OutboxEnd.REFUSED)


def is_spoilered(submission: Submission) -> bool:
    """Return whether moderators see the pictures behind a spoiler."""
    is_flagged = any(flag.kind in _SPOILERED for flag in submission.flags)
    return submission.options.is_spoiler or submission.is_age_restricted or is_flagged


def review_card(
    snapshot: SubmissionSnapshot, now: datetime, files: Sequence[Attached] = (), *, is_hidden: bool = False
) -> ui.LayoutView:
    """Return the card, with the decision first and the buttons last.

    `files` are the attached pictures. `is_hidden`: the channel may not show them, as it is not age-restricted.
    """
    submission, job = snapshot.submission, snapshot.job
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_COLOURS[submission.state])
    container.add_item(ui.TextDisplay("\n".join(_decision(snapshot, now))))
    if files:
        container.add_item(_gallery(snapshot, files))
    elif shows_pictures(submission):
        container.add_item(ui.TextDisplay(f"-# {_no_pictures(is_hidden=is_hidden)}"))
    container.add_item(ui.TextDisplay("\n".join(_content(snapshot))))
    container.add_item(ui.TextDisplay("\n".join(_member(snapshot))))
    flags = [flag_words(flag) for flag in _current_flags(snapshot)]
    if flags:
        container.add_item(ui.TextDisplay("\n".join([f"**{_('Look closely')}**", *(f"- {each}" for each in flags)])))
    for row in _rows(snapshot, has_more=len(job.request.prompt) > _PROMPT_SHOWN):
        container.add_item(row)
    return payload_view(container)


def flag_names(flags: Collection[Flag]) -> str:
    """Return the first flags without details, for a line among others."""
    weighty = sorted({each.kind for each in flags}, key=_BY_WEIGHT.index)
    return ", ".join(first_of([_(_FLAGS[kind]) for kind in weighty], _MOST_FLAG_NAMES))


def flag_words(flag: Flag) -> str:
    """Return the words for a flag."""
    words = _(_FLAGS[flag.kind])
    return f"{words}: {escaped(cut(flag.detail, _DETAIL_SHOWN))}" if flag.detail else words


def record_words(record: MemberRecord) -> str:
    """Return the words for a member's submissions so far."""
    words = [
        (_("{count} approved"), record.approved),
        (_("{count} refused"), record.refused),
        (_("{count} taken down"), record.taken_down),
        (ngettext("{count} report", "{count} reports", record.reports), record.reports),
    ]
    parts = [said.format(count=number(count)) for said, count in words if count]
    return " · ".join(parts) or _("Nothing of theirs was decided here yet")


def _decision(snapshot: SubmissionSnapshot, now: datetime) -> Iterator[str]:
    submission = snapshot.submission
    when = ago(submission.waiting_since if submission.state is SubmissionState.WAITING else submission.at)
    words = _STATES[submission.state]
    if submission.decided_by is not None:
        words = _BY_MODERATOR.get(submission.state, words)
    moderator = "" if submission.decided_by is None else person(submission.decided_by)
    yield f"### {_(words).format(moderator=moderator, when=when)}"
    if snapshot.challenge is not None:
        yield _("Entry in the challenge “{theme}”").format(theme=escaped(snapshot.challenge.theme))
    if submission.state is SubmissionState.HIDDEN:
        yield f"-# {_('Here you decide about its post alone; the card of reports decides about the picture')}"
    if submission.reason:
        yield _("Reason: {reason}").format(reason=escaped(cut(_(submission.reason), _REASON_SHOWN)))
    if submission.decided_by == submission.member_id:
        yield f"-# {_('A decision about their own submission')}"
    if submission.state is SubmissionState.APPROVED and submission.options.is_spoiler:
        yield f"-# {_('Shown as a spoiler')}"
    if is_unposted(snapshot):
        channel_id = snapshot.guild.showcase_channel_id
        if channel_id is None:
            yield _("Not posted: the server has no showcase channel.")
        elif snapshot.job.age_restricted:
            yield _("Not posted: the bot may not post in <#{channel}>, or it is not age-restricted.").format(
                channel=channel_id
            )
        else:
            yield _("Not posted: the bot may not post in <#{channel}>.").format(channel=channel_id)
    if submission.claimed_by is not None and submission.claimed_until is not None and submission.claimed_until > now:
        yield _("{moderator} is looking at this").format(moderator=person(submission.claimed_by))
    history = list(snapshot.history)
    if submission.state is SubmissionState.CHANGES_ASKED and history and history[-1].action == "share.ask":
        del history[-1]  # the decision says it in full
    yield from _history(history)


def _history(entries: Sequence[AuditEntry]) -> Iterator[str]:
    """Yield the requests for changes, and the member's answers."""
    for entry in entries[-_ASKED_SHOWN:]:
        if entry.action == "share.ask":
            words = _("{moderator} asked {when}: {reason}")
            reason = escaped(cut(entry.reason, _ANSWER_SHOWN))
            yield "-# " + words.format(moderator=person(entry.actor_id), when=ago(entry.at), reason=reason)
        elif entry.action == "share.resubmit":
            yield "-# " + _("A changed version came {when}").format(when=ago(entry.at))


def _gallery(snapshot: SubmissionSnapshot, files: Sequence[Attached]) -> ui.MediaGallery[ui.LayoutView]:
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    title = snapshot.submission.options.title or card_title(snapshot.job.request, len(snapshot.job.request.prompt))
    for file in files:
        gallery.add_item(
            media=f"attachment://{file.filename}",
            description=alternative(title),
            spoiler=is_spoilered(snapshot.submission),
        )
    return gallery


def _no_pictures(*, is_hidden: bool) -> str:
    if is_hidden:
        return _("Age-restricted pictures: they are shown only in an age-restricted review channel.")
    return _("The pictures are no longer kept.")


def _content(snapshot: SubmissionSnapshot) -> Iterator[str]:
    options, request = snapshot.submission.options, snapshot.job.request
    if snapshot.job.deleted_at is not None:
        yield _("The pictures were deleted, and their prompt with them.")
        return
    prompt = escaped(card_title(request, _PROMPT_SHOWN))
    if options.title:
        yield f"**{escaped(options.title)}**"
        yield prompt
    else:
        yield prompt
    if snapshot.challenge is not None:
        yield f"-# {_('Only you see the prompt; the challenge does not show it')}"
    elif not options.show_prompt:
        yield f"-# {_('Only you see the prompt; the showcase does not have it')}"
    shared, made = snapshot.submission.positions, request.images
    which = ngettext("shared: picture {which}", "shared: pictures {which}", len(shared))
    part = [which.format(which=together([number(each + 1) for each in shared]))]
    yield f"-# {' · '.join([*asked(request), *(part if len(shared) < made else [])])}"


def _member(snapshot: SubmissionSnapshot) -> Iterator[str]:
    submission = snapshot.submission
    who = _("From {member}").format(member=person(submission.member_id))
    if submission.options.is_anonymous:
        who = _("{who} · to be posted without their name").format(who=who)
    yield who
    # The flag says that there is no record.
    if all(flag.kind is not FlagKind.FIRST for flag in _current_flags(snapshot)):
        yield f"-# {record_words(snapshot.record)}"


def _current_flags(snapshot: SubmissionSnapshot) -> list[Flag]:
    """Return the flags without those that the member's record contradicts."""
    is_new = snapshot.record == MemberRecord()
    return [each for each in snapshot.submission.flags if is_new or each.kind is not FlagKind.FIRST]


def _rows(snapshot: SubmissionSnapshot, *, has_more: bool) -> Iterator[ui.ActionRow[ui.LayoutView]]:
    submission = snapshot.submission
    target, revision = submission.id, submission.revision % REVISIONS
    prompt = [REVIEW_PROMPT.build(target, picture=revision)] if has_more else []
    if submission.state is SubmissionState.WAITING:
        approve = [] if submission.options.is_spoiler else [REVIEW_APPROVE]
        specs = (*approve, REVIEW_SPOILER, REVIEW_ASK)
        row = [spec.build(target, picture=revision) for spec in specs]
        row[0].style = discord.ButtonStyle.success
        yield ui.ActionRow(*row, *prompt)
        yield ui.ActionRow(_refusals(snapshot))
    elif submission.state is SubmissionState.HIDDEN:
        specs = (REVIEW_SHOW, REVIEW_TAKE_DOWN)
        yield ui.ActionRow(*(spec.build(target, picture=revision) for spec in specs), *prompt)
    elif is_unposted(snapshot):
        yield ui.ActionRow(POST_AGAIN.build(target), *prompt)
    elif prompt and shows_pictures(submission):
        yield ui.ActionRow(*prompt)


def _refusals(snapshot: SubmissionSnapshot) -> ui.Select[ui.LayoutView]:
    submission = snapshot.submission
    options = [_option(label, f"{REASON}{label}") for label in reasons_of(snapshot.sharing.refusal_reasons)]
    options.append(_option(_("Another reason…"), OTHER_REASON, _("Type it; the member reads it")))
    options.append(
        _option(_("Ban from sharing…"), BAN_VALUES[BanScope.SHARING], _("Refuse this, and all they would share"))
    )
    options.append(
        _option(_("Ban from the studio…"), BAN_VALUES[BanScope.STUDIO], _("Refuse this, and all they would make"))
    )
    return ui.Select(
        placeholder=_("Refuse…"),
        custom_id=custom_id(REVIEW_REFUSE, submission.id, submission.revision % REVISIONS),
        options=options,
    )


def reasons_of(typed: Sequence[str]) -> list[str]:
    """Return the server's reasons for the menu: Discord takes no entry twice."""
    reasons = [cut(each.strip(), _LONGEST_OPTION - len(REASON)) for each in typed]
    return list(dict.fromkeys(each for each in reasons if each))[:_MOST_REASONS]


def _option(label: str, value: str, description: str | None = None) -> discord.SelectOption:
    described = None if description is None else cut(description, _LONGEST_OPTION)
    return discord.SelectOption(label=cut(label, _LONGEST_OPTION), value=value, description=described)
