"""Cards of reports for the moderators, and answers to reporters."""

from collections.abc import Sequence
from typing import Final

import discord
from discord import ui

from bot.domain.reports import ReportReason, reasons_of
from bot.services.reports import ReportRoute, ReportSnapshot
from bot.ui.buttons import REPORT_BAN_SHARING, REPORT_BAN_STUDIO, REPORT_DISMISS, REPORT_TAKE_DOWN
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.formatting import ago, alternative, escaped, number, outbox_link, person, together
from bot.ui.render.job_card import AMBER, GREY, RED, Attached, asked, card_title, payload_view
from bot.ui.render.report_errors import outcome_words
from bot.ui.truncation import cut

REASONS: Final = {
    ReportReason.SEXUAL: N_("Sexual"),
    ReportReason.VIOLENCE: N_("Violence"),
    ReportReason.HATE: N_("Hate or harassment"),
    ReportReason.PERSON: N_("Shows a real person"),
    ReportReason.COPYRIGHT: N_("Copies somebody's work"),
    ReportReason.RULES: N_("Against the server's rules"),
    ReportReason.OTHER: N_("Something else"),
}
_PROMPT_SHOWN: Final = 450
_WORDS_SHOWN: Final = 150
_MOST_WORDS: Final = 4


def report_card(snapshot: ReportSnapshot, files: Sequence[Attached], link: str | None) -> ui.LayoutView:
    """Return a case's card; buttons only while it is open."""
    case = snapshot.case
    count = len(snapshot.reports)
    if case.outcome is None or case.closed_at is None:
        state = ngettext("{count} report · {when}", "{count} reports · {when}", count)
        title = state.format(count=number(count), when=ago(case.at))
        colour = AMBER
    else:
        title = outcome_words(case.outcome).format(moderator=person(case.closed_by or 0), when=ago(case.closed_at))
        colour = RED if case.outcome.takes_down else GREY
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay(f"## {title}"), accent_colour=colour)
    if files:
        container.add_item(_spoilered(snapshot, files))
    container.add_item(ui.TextDisplay("\n".join(_lines(snapshot, link))))
    buttons = [
        REPORT_TAKE_DOWN.build(case.id),
        REPORT_DISMISS.build(case.id),
        REPORT_BAN_SHARING.build(case.id),
        REPORT_BAN_STUDIO.build(case.id),
    ]
    if case.closed_at is None:
        container.add_item(ui.ActionRow(*buttons))
    return payload_view(container)


def _spoilered(snapshot: ReportSnapshot, files: Sequence[Attached]) -> ui.MediaGallery[ui.LayoutView]:
    shown: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    title = alternative(card_title(snapshot.job.request, _PROMPT_SHOWN))
    for file in files:
        shown.add_item(media=f"attachment://{file.filename}", description=title, spoiler=True)
    return shown


def _lines(snapshot: ReportSnapshot, link: str | None) -> list[str]:
    job = snapshot.job
    if job.deleted_at is None:
        lines = [escaped(card_title(job.request, _PROMPT_SHOWN))]
        lines.append(f"-# {_('A duel before its end') if snapshot.is_blind else ' · '.join(asked(job.request))}")
    else:
        lines = [_("The picture and its messages are removed.")]
    made = _("Made by {member}").format(member=person(job.place.member_id))
    lines.append(made if link is None or job.deleted_at is not None else f"{made} · {link}")
    lines += [_("In the showcase: {link}").format(link=each) for each in map(outbox_link, snapshot.posts) if each]
    reasons = [f"{_(REASONS[reason])} {number(times)}×" for reason, times in reasons_of(snapshot.reports)]
    lines.append(f"**{_('Reasons')}:** {' · '.join(reasons)}")
    positions = sorted({each.position for each in snapshot.reports if each.position is not None})
    if positions and job.request.images > 1:
        about = ngettext("About picture {which}", "About pictures {which}", len(positions))
        lines.append(about.format(which=together([number(each + 1) for each in positions])))
    words = [each.words for each in snapshot.reports if each.words]
    lines += [f"> {escaped(cut(' '.join(each.split()), _WORDS_SHOWN))}" for each in words[-_MOST_WORDS:]]
    if snapshot.case.closed_at is None:
        if link is not None and not snapshot.pictures:
            lines.append(f"-# {_('The studio keeps no copy of it any more. Its message shows it.')}")
        lines.append("-# " + _("Banning its member takes the picture down, too. The first decision counts."))
    return lines


def reported_note(route: ReportRoute, *, contact: str | None) -> ui.LayoutView:
    """Return the answer to a report."""
    match route:
        case ReportRoute.CHANNEL:
            lines = [_("Reported to the moderators of this server."), f"-# {_('Your name is not on their card.')}"]
        case ReportRoute.NO_CHANNEL:
            lines = [_("Your report is kept, but this server has no moderators' channel. Tell a moderator yourself.")]
        case ReportRoute.NO_BOT:
            lines = [_("Your report is kept, but the studio has left this server. Tell a moderator yourself.")]
    if contact is not None:
        lines.append("-# " + _("Does it break the law? Write to {contact} as well.").format(contact=contact))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=discord.Colour(0x3BA55D)))
