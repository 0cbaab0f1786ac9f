"""The review queue: its card, its reminder, and decisions about several."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import discord
from discord import ui

from bot.domain.age_restriction import may_show
from bot.domain.errors import AlreadyDecidedError, AtelierError, NotAllowedError, SubmissionClaimedError
from bot.domain.images import ResultImage
from bot.domain.sharing.submissions import SubmissionState
from bot.services.sharing.review_queue import QueueEntry, QueueSnapshot
from bot.ui.buttons import (
    REVIEW_BULK,
    REVIEW_BULK_APPROVE,
    REVIEW_BULK_BACK,
    REVIEW_BULK_CONFIRM,
    REVIEW_BULK_REFUSE,
    REVIEW_PICK,
    custom_id,
    guild_target,
)
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import ago, alternative, escaped, number, one_line, outbox_link, person
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, GREY, RED, card_title, payload_view
from bot.ui.render.sharing.review_card import flag_names, is_spoilered, reasons_of, shows_pictures
from bot.ui.truncation import cut

MOST_LISTED: Final = 10
OLDEST_SHOWN: Final = 5

_TITLE_SHOWN: Final = 50
_LONGEST_OPTION: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChoice:
    """Chosen submissions; `reason` is None for an approval."""

    submission_ids: Collection[str]
    reason: str | None = None


def queue_card(queue: QueueSnapshot) -> ui.LayoutView:
    """Return the card of a server's queue."""
    lines = [f"### {_headline(queue)}"]
    lines += [f"{place}. {_entry(entry)}" for place, entry in enumerate(queue.entries[:OLDEST_SHOWN], 1)]
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)), accent_colour=AMBER if queue.summary.waiting else GREY
    )
    if queue.summary.waiting:
        container.add_item(ui.ActionRow(REVIEW_BULK.build(guild_target(queue.guild_id))))
    return payload_view(container)


def reminder_card(queue: QueueSnapshot) -> ui.LayoutView:
    """Return the reminder of a queue."""
    lines = [f"### {_headline(queue)}", f"-# {_('A reminder, as often as `/studio setup` says.')}"]
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)),
        ui.ActionRow(REVIEW_BULK.build(guild_target(queue.guild_id))),
        accent_colour=AMBER,
    )
    return payload_view(container)


def review_closed_alert(review_channel_id: int | None) -> str:
    """Return the alert about a closed review channel."""
    what = _("I cannot post review cards: no review channel is set.")
    if review_channel_id is not None:
        what = _("I cannot post review cards in {channel}: it is gone, or I may not post there.")
    next_step = _("Shared pictures wait, and `/review list` shows them. `/studio setup` names what is missing.")
    return f"{what.format(channel=f'<#{review_channel_id}>')}\n{next_step}"


def preselected(queue: QueueSnapshot) -> frozenset[str]:
    """Return the submissions without flags and claims."""
    waiting = (entry.submission for entry in queue.entries if is_open(entry) and entry.claimed_by is None)
    return frozenset(each.id for each in waiting if not each.flags)


def is_open(entry: QueueEntry) -> bool:
    """Return whether a decision about several is possible.

    Hidden submissions are decided on their cards.
    """
    return entry.submission.state is SubmissionState.WAITING


def shown_pictures(
    queue: QueueSnapshot, only: Collection[str] | None = None, *, in_age_restricted: bool
) -> dict[str, ResultImage]:
    """Return the first pictures of listed submissions, for a channel.

    `only` are the chosen ones.
    """
    return {
        entry.submission.id: entry.picture
        for entry in queue.entries
        if entry.picture is not None
        and shows_pictures(entry.submission)
        and (only is None or entry.submission.id in only)
        and may_show(is_age_restricted=entry.is_age_restricted, in_age_restricted=in_age_restricted)
    }


def bulk_page(
    queue: QueueSnapshot, chosen: Collection[str], thumbnails: Mapping[str, str] = MappingProxyType({})
) -> ui.LayoutView:
    """Return the longest waiting submissions with a menu to choose from.

    `thumbnails` maps submissions to the names of attached files.
    """
    target = guild_target(queue.guild_id)
    if not queue.entries:
        text: ui.TextDisplay[ui.LayoutView] = ui.TextDisplay(f"### {_headline(queue)}")
        return payload_view(ui.Container(text, accent_colour=GREEN))
    lines = [f"### {_headline(queue)}", *_numbered(queue)]
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE)
    _add_pictures(container, queue, thumbnails)
    options = _options(queue, chosen)
    if options:
        count = sum(option.default for option in options)
        container.add_item(ui.ActionRow(_menu(target, options)))
        approve = REVIEW_BULK_APPROVE.build(target, label=_approve(count), disabled=not count)
        container.add_item(ui.ActionRow(approve))
        container.add_item(ui.ActionRow(_refusals(queue, target, disabled=not count)))
    return payload_view(container)


def bulk_question(
    queue: QueueSnapshot, choice: BulkChoice, thumbnails: Mapping[str, str] = MappingProxyType({})
) -> ui.LayoutView:
    """Return the one question before a decision about several.

    Its disabled menus hold the choice. `thumbnails` is as for `bulk_page`.
    """
    target = guild_target(queue.guild_id)
    options = [option for option in _options(queue, choice.submission_ids) if option.default]
    count = len(options)
    said = ngettext("Approve {count} submission?", "Approve {count} submissions?", count)
    label = _approve(count)
    if choice.reason is not None:
        said = ngettext("Refuse {count} submission?", "Refuse {count} submissions?", count)
        label = _("Refuse {count}").format(count=number(count))
    lines = [f"### {said.format(count=number(count))}"]
    if choice.reason is not None and choice.reason != NO_REASON:
        lines.append(_("Reason: {reason}").format(reason=escaped(choice.reason)))
    lines += _numbered(queue, only=choice.submission_ids)
    colour = GREEN if choice.reason is None else RED
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=colour)
    _add_pictures(container, queue, thumbnails, only=choice.submission_ids)
    if options:
        container.add_item(ui.ActionRow(_menu(target, options, disabled=True)))
    if choice.reason is not None:
        container.add_item(ui.ActionRow(_refusals(queue, target, disabled=True, chosen=choice.reason)))
    style = discord.ButtonStyle.success if choice.reason is None else discord.ButtonStyle.danger
    confirm = REVIEW_BULK_CONFIRM.build(target, label=label, disabled=not options)
    confirm.style = style
    container.add_item(ui.ActionRow(confirm, REVIEW_BULK_BACK.build(target)))
    return payload_view(container)


def bulk_result(queue: QueueSnapshot, done: int, failed: Sequence[AtelierError], *, is_refusal: bool) -> ui.LayoutView:
    """Return the result of a decision about several."""
    said = _("{count} refused") if is_refusal else _("{count} approved")
    lines = [f"### {said.format(count=number(done))}", *_failures(failed)]
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)), accent_colour=AMBER if failed else GREEN
    )
    if queue.summary.waiting:
        container.add_item(
            ui.ActionRow(REVIEW_BULK_BACK.build(guild_target(queue.guild_id), label=_("Show the others")))
        )
    return payload_view(container)


def _headline(queue: QueueSnapshot) -> str:
    summary = queue.summary
    if not summary.waiting or summary.oldest is None:
        return _("No submission waits for a decision")
    said = ngettext(
        "{count} submission waits for a decision · it came {when}",
        "{count} submissions wait for a decision · the oldest came {when}",
        summary.waiting,
    )
    return said.format(count=number(summary.waiting), when=ago(summary.oldest))


def _failures(failed: Sequence[AtelierError]) -> Iterator[str]:
    decided = [each for each in failed if isinstance(each, AlreadyDecidedError)]
    if decided:
        said = ngettext(
            "{count} was decided or changed meanwhile", "{count} were decided or changed meanwhile", len(decided)
        ).format(count=number(len(decided)))
        people = ", ".join(sorted({person(each.by) for each in decided if each.by is not None}))
        yield f"- {_('{what} by {people}').format(what=said, people=people) if people else said}"
    for each in failed:
        if isinstance(each, SubmissionClaimedError):
            yield f"- {_('{moderator} is looking at this').format(moderator=person(each.by))}"
    own = sum(isinstance(each, NotAllowedError) for each in failed)
    if own:
        said = ngettext(
            "{count} is your own; another moderator decides", "{count} are your own; another moderator decides", own
        )
        yield f"- {said.format(count=number(own))}"
    others = len(failed) - len(decided) - own - sum(isinstance(each, SubmissionClaimedError) for each in failed)
    if others:
        yield "- " + ngettext("{count} is gone", "{count} are gone", others).format(count=number(others))


def _numbered(queue: QueueSnapshot, *, only: Collection[str] | None = None) -> Iterator[str]:
    for place, entry in enumerate(queue.entries, 1):
        if only is not None and (entry.submission.id not in only or not is_open(entry)):
            continue
        yield f"{place}. {_entry(entry)}"
        if entry.submission.flags:
            yield f"-# {_('Look closely')}: {flag_names(entry.submission.flags)}"


def _add_pictures(
    container: ui.Container[ui.LayoutView],
    queue: QueueSnapshot,
    thumbnails: Mapping[str, str],
    *,
    only: Collection[str] | None = None,
) -> None:
    """Add the first picture of each, and the numbers of those without."""
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    missing = []
    for place, entry in enumerate(queue.entries, 1):
        submission = entry.submission
        if only is not None and (submission.id not in only or not is_open(entry)):
            continue
        if submission.id in thumbnails:
            gallery.add_item(
                media=f"attachment://{thumbnails[submission.id]}",
                description=alternative(f"{number(place)}. {_title(entry)}"),
                spoiler=is_spoilered(submission),
            )
        else:
            missing.append(number(place))
    if not gallery.items:
        return
    container.add_item(gallery)
    said = _("The first picture of each, in the order of the list")
    if missing:
        said = _("{what}; not shown here: {numbers}").format(what=said, numbers=", ".join(missing))
    container.add_item(ui.TextDisplay(f"-# {said}"))


def _entry(entry: QueueEntry) -> str:
    submission, card = entry.submission, entry.card
    title = escaped(_title(entry))
    if link := outbox_link(card):
        title = f"[{title}]({link})"
    parts = [title, person(submission.member_id), ago(submission.waiting_since)]
    if entry.challenge is not None:
        parts.append(_("for a challenge"))  # ten themes would not fit
    if not submission.state.awaits_review:
        parts.append(_("decided meanwhile"))
    elif not is_open(entry):
        parts.append(_("hidden after reports"))
    elif entry.claimed_by is not None:
        parts.append(_("{moderator} is looking at this").format(moderator=person(entry.claimed_by)))
    return " · ".join(parts)


def _title(entry: QueueEntry) -> str:
    typed = entry.submission.options.title
    return cut(one_line(typed), _TITLE_SHOWN) if typed else card_title(entry.job.request, _TITLE_SHOWN)


def _options(queue: QueueSnapshot, chosen: Collection[str]) -> list[discord.SelectOption]:
    return [
        discord.SelectOption(
            label=cut(f"{place}. {_title(entry)}", _LONGEST_OPTION),
            value=f"{entry.submission.id}:{entry.submission.revision}",
            default=entry.submission.id in chosen,
        )
        for place, entry in enumerate(queue.entries, 1)
        if is_open(entry)
    ]


def _menu(target: str, options: list[discord.SelectOption], *, disabled: bool = False) -> ui.Select[ui.LayoutView]:
    return ui.Select(
        custom_id=custom_id(REVIEW_PICK, target),
        placeholder=_("Choose submissions"),
        min_values=0,
        max_values=len(options),
        options=options,
        disabled=disabled,
    )


def _refusals(
    queue: QueueSnapshot, target: str, *, disabled: bool, chosen: str | None = None
) -> ui.Select[ui.LayoutView]:
    reasons = (reasons_of(queue.sharing.refusal_reasons) or [NO_REASON]) if chosen is None else [chosen]
    options = [
        discord.SelectOption(label=_("No reason") if each == NO_REASON else each, value=each, default=each == chosen)
        for each in reasons
    ]
    return ui.Select(
        custom_id=custom_id(REVIEW_BULK_REFUSE, target),
        placeholder=_("Refuse…"),
        options=options,
        disabled=disabled,
    )


NO_REASON: Final = "-"
"""The value of a refusal in a server without reasons."""


def _approve(count: int) -> str:
    return _("Approve {count}").format(count=number(count)) if count else _("Approve")
