"""Messages of a challenge: its card, pages of entries, winners, ballots."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import discord
from discord import ui

from bot.domain.jobs import Job
from bot.domain.sharing.challenges import (
    ENTRIES_A_PAGE,
    VOTES_A_MEMBER,
    Challenge,
    ChallengeState,
    Placing,
    prize_shares,
)
from bot.domain.sharing.submissions import LIVE, MAX_TITLE, Submission, SubmissionState
from bot.services.sharing.challenge_snapshots import ChallengeSnapshot, ShownEntry
from bot.services.sharing.challenges import Ballot
from bot.ui.buttons import (
    CHALLENGE_BALLOT,
    CHALLENGE_ENTER,
    CHALLENGE_PICK,
    CHALLENGE_RESULTS,
    CHALLENGE_VOTE,
    custom_id,
)
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import (
    ago,
    alternative,
    escaped,
    first_of,
    fitting,
    in_credits,
    moment,
    number,
    ordinal,
    outbox_link,
)
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, GREY, card_title, payload_view
from bot.ui.truncation import cut

MOST_WINNERS: Final = ENTRIES_A_PAGE
"""Winners with a line and a picture; ties can have more."""
_ROW: Final = 5
_LONGEST_OPTION: Final = 100
_ROOM_FOR_RESULTS: Final = 3700
# The lines of ten winners, and as many descriptions of pictures, fit Discord's 4,000 characters.
_TITLE_IN_LIST: Final = 40
_COLOURS: Final = {
    ChallengeState.OPEN: BLURPLE,
    ChallengeState.VOTING: AMBER,
    ChallengeState.ENDED: GREEN,
    ChallengeState.CANCELLED: GREY,
}


def challenge_card(snapshot: ChallengeSnapshot) -> ui.LayoutView:
    """Return a challenge's card: its state, then its buttons."""
    challenge = snapshot.challenge
    lines = [f"## {challenge_title(challenge)}", *_state(snapshot)]
    container: ui.Container[ui.LayoutView] = ui.Container(
        ui.TextDisplay("\n".join(lines)), accent_colour=_COLOURS[challenge.state]
    )
    buttons = {
        ChallengeState.OPEN: [CHALLENGE_ENTER],
        ChallengeState.VOTING: [CHALLENGE_BALLOT],
        ChallengeState.ENDED: [CHALLENGE_RESULTS],
    }.get(challenge.state, [])
    if buttons:
        container.add_item(ui.ActionRow(*(each.build(challenge.id) for each in buttons)))
    return payload_view(container)


def entries_page(snapshot: ChallengeSnapshot, page: int, files: Mapping[int, str]) -> ui.LayoutView | None:
    """Return a page of entries, counted from 1; None if all of them are gone.

    `files` maps numbers of entries to the names of attached files. Nobody is named before the end.
    """
    challenge = snapshot.challenge
    entries = entries_of(snapshot, page)
    if not entries:
        return None
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_COLOURS[challenge.state])
    ended = challenge.state is not ChallengeState.VOTING
    calls = [] if ended else [_call(challenge)]
    lines = [f"### {escaped(challenge.theme)}", *calls, *(f"-# {each}" for each in _entries_said(entries))]
    container.add_item(ui.TextDisplay("\n".join(lines)))
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    for each in entries:
        if name := files.get(each.entry.number):
            gallery.add_item(
                media=f"attachment://{name}",
                description=alternative(_plain_name(each)),
                spoiler=each.submission.options.is_spoiler,
            )
    if gallery.items:
        container.add_item(gallery)
    if ended:
        container.add_item(ui.TextDisplay("\n".join(f"-# {_credit(each)}" for each in entries)))
    votes = [
        CHALLENGE_VOTE.build(
            challenge.id,
            label=" · ".join([number(each.entry.number), *([votes_said(each.entry.votes)] if ended else [])]),
            picture=each.entry.number,
            disabled=ended,
        )
        for each in entries
    ]
    for start in range(0, len(votes), _ROW):
        container.add_item(ui.ActionRow(*votes[start : start + _ROW]))
    return payload_view(container)


def winners_post(snapshot: ChallengeSnapshot, files: Mapping[int, str]) -> ui.LayoutView:
    """Return the post of the winners."""
    challenge = snapshot.challenge
    by_number = {each.entry.number: each for each in snapshot.entries}
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=GREEN)
    title = _("Winners of “{theme}”").format(theme=escaped(challenge.theme))
    lines = [f"## {title}", *_winner_lines(snapshot.placings, by_number)]
    if challenge.prize:
        lines.append(f"-# {_prize_said(snapshot)}")
    container.add_item(ui.TextDisplay("\n".join(lines)))
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    for placing in snapshot.placings[:MOST_WINNERS]:
        shown = by_number[placing.entry.number]
        if name := files.get(placing.entry.number):
            gallery.add_item(
                media=f"attachment://{name}",
                description=alternative(f"{ordinal(placing.place)} · {_plain_name(shown)}"),
                spoiler=shown.submission.options.is_spoiler,
            )
    if gallery.items:
        container.add_item(gallery)
        container.add_item(ui.TextDisplay(f"-# {_('AI-generated')}"))
    container.add_item(ui.ActionRow(CHALLENGE_RESULTS.build(challenge.id, picture=1)))
    return payload_view(container)


def entries_of(snapshot: ChallengeSnapshot, page: int) -> list[ShownEntry]:
    """Return the entries shown on a page, counted from 1."""
    first = (page - 1) * ENTRIES_A_PAGE
    shown = (each for each in snapshot.entries if not each.is_gone)
    return [each for each in shown if first < each.entry.number <= first + ENTRIES_A_PAGE]


def ballot_note(ballot: Ballot, *, voted: int | None = None) -> str:
    """Return a member's votes; `voted` is the number just pressed."""
    lines = []
    if voted is not None:
        said = _("Voted for {number}.") if voted in ballot.numbers else _("Took back the vote for {number}.")
        lines.append(said.format(number=number(voted)))
    if ballot.numbers:
        numbers = ", ".join(number(each) for each in ballot.numbers)
        lines.append(_("Your votes: {numbers}.").format(numbers=numbers))
    elif voted is None:
        lines.append(_("You have not voted yet. Press the number of an entry."))
    left = ngettext("{count} vote is left.", "{count} votes are left.", ballot.left)
    lines.append(f"-# {left.format(count=number(ballot.left))} {_('Press a number again to take a vote back.')}")
    return "\n".join(lines)


def results_panel(snapshot: ChallengeSnapshot) -> ui.LayoutView:
    """Return all entries with their votes, best first."""
    ranked = sorted(snapshot.entries, key=lambda each: (-each.entry.votes, each.entry.number))
    lines = [f"{votes_said(each.entry.votes)} · {_credit(each)}" for each in ranked]
    title = _("Results of “{theme}”").format(theme=escaped(snapshot.challenge.theme))
    text = "\n".join([f"### {title}", *(fitting(lines, _ROOM_FOR_RESULTS) or [_("There was no entry.")])])
    return payload_view(ui.Container(ui.TextDisplay(text), accent_colour=GREY))


def picture_menu(challenge: Challenge, shareable: Sequence[tuple[Job, int]]) -> ui.LayoutView:
    """Return the menu of a member's pictures for an entry."""
    title = _("Enter “{theme}”").format(theme=escaped(challenge.theme))
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    if not shareable:
        text = _("You have no picture here that you could enter. Make one with `/imagine`, then press again.")
        container.add_item(ui.TextDisplay(f"### {title}\n{text}"))
        return payload_view(container)
    container.add_item(
        ui.TextDisplay(f"### {title}\n-# {_('Your latest pictures of this server that are in no other submission')}")
    )
    options = [
        discord.SelectOption(
            label=cut(_("{title} · picture {number}").format(title=card_title(job.request, 70), number=at + 1), 100),
            value=f"{job.id}:{at}",
            description=cut(f"{job.request.model} · {job.created_at:%Y-%m-%d %H:%M} UTC", _LONGEST_OPTION),
        )
        for job, at in shareable
    ]
    menu: ui.Select[ui.LayoutView] = ui.Select(
        custom_id=custom_id(CHALLENGE_PICK, challenge.id), placeholder=_("Choose a picture"), options=options
    )
    container.add_item(ui.ActionRow(menu))
    return payload_view(container)


def entered_note(submission: Submission) -> str:
    """Return the answer to an entry."""
    if submission.state is SubmissionState.APPROVED:
        said = _("Your picture is entered.")
    else:
        said = _("Your picture is sent to the moderators. It takes part once they have approved it.")
    return f"{said}\n-# {_('`/share list` shows where it stands, and withdraws it.')}"


def started_note(challenge: Challenge) -> str:
    """Return the answer to a moderator's start of a challenge."""
    said = _("The challenge begins in {channel}. Entries until {closes}, votes until {ends}.")
    return said.format(
        channel=f"<#{challenge.channel_id}>", closes=moment(challenge.closes_at), ends=moment(challenge.ends_at)
    )


def changed_note(challenge: Challenge) -> str:
    """Return the answer to a moderator's end of a phase."""
    said = {
        ChallengeState.VOTING: _("The vote on “{theme}” has begun."),
        ChallengeState.ENDED: _("“{theme}” has ended."),
        ChallengeState.CANCELLED: _("“{theme}” is cancelled. Nobody gets a prize."),
    }.get(challenge.state, _("“{theme}” takes entries."))
    return said.format(theme=escaped(challenge.theme))


def votes_said(count: int) -> str:
    """Return "1 vote", "12 votes"."""
    return ngettext("{count} vote", "{count} votes", count).format(count=number(count))


def challenge_title(challenge: Challenge) -> str:
    """Return the words for a challenge."""
    return _("Challenge: {theme}").format(theme=escaped(challenge.theme))


def _state(snapshot: ChallengeSnapshot) -> Iterator[str]:
    challenge = snapshot.challenge
    entries = sum(snapshot.counts.get(state, 0) for state in LIVE)
    counted = ngettext("{count} entry", "{count} entries", entries).format(count=number(entries))
    match challenge.state:
        case ChallengeState.OPEN:
            yield _("Enter one picture each. The entries close {when}.").format(when=ago(challenge.closes_at))
            waiting = snapshot.counts.get(SubmissionState.WAITING, 0)
            parts = [counted]
            if waiting:
                said = ngettext("{count} waits for a moderator", "{count} wait for a moderator", waiting)
                parts.append(said.format(count=number(waiting)))
            yield f"-# {' · '.join([*parts, *_prize(challenge)])}"
            yield f"-# {_('Then everybody votes, without knowing who made what.')}"
        case ChallengeState.VOTING:
            yield _call(challenge)
            yield from _page_links(snapshot)
            counted = ngettext("{count} entry", "{count} entries", len(snapshot.entries))
            voters = ngettext("{count} member voted", "{count} members voted", snapshot.voters)
            parts = [counted.format(count=number(len(snapshot.entries))), voters.format(count=number(snapshot.voters))]
            yield f"-# {' · '.join([*parts, *_prize(challenge)])}"
        case ChallengeState.ENDED if snapshot.placings:
            by_number = {each.entry.number: each for each in snapshot.entries}
            yield from _winner_lines(snapshot.placings, by_number)
            if challenge.prize:
                yield f"-# {_prize_said(snapshot)}"
        case ChallengeState.ENDED:
            yield _("Ended without winners: too few pictures were entered, or nobody voted.")
        case ChallengeState.CANCELLED:
            yield _("Cancelled by a moderator.")


def _call(challenge: Challenge) -> str:
    """Return the call to vote with its end."""
    said = _("Vote for up to {count} entries, not for your own. The vote ends {when}.")
    return said.format(when=ago(challenge.ends_at), count=number(VOTES_A_MEMBER))


def _page_links(snapshot: ChallengeSnapshot) -> Iterator[str]:
    """Yield the link of the first page of entries: the card may be far above."""
    for page in snapshot.pages[:1]:
        if link := outbox_link(page):
            yield _("The entries: {link}").format(link=link)


def _prize(challenge: Challenge) -> list[str]:
    return [_("{credits} for the first place").format(credits=in_credits(challenge.prize))] if challenge.prize else []


def _prize_said(snapshot: ChallengeSnapshot) -> str:
    challenge = snapshot.challenge
    if not challenge.paid and not prize_shares(challenge.prize, snapshot.placings):
        return _("The prize was not paid: too many share the first place.")
    if not challenge.paid:
        return _("The prize was not paid: the server's budget for this month is used up.")
    return _("{credits} went to the first place.").format(credits=in_credits(challenge.paid))


def _winner_lines(placings: Sequence[Placing], by_number: Mapping[int, ShownEntry]) -> Iterator[str]:
    lines = [
        f"**{ordinal(each.place)}** · {votes_said(each.entry.votes)} · {_credit(by_number[each.entry.number])}"
        for each in placings
    ]
    yield from first_of(lines, MOST_WINNERS)


def _credit(shown: ShownEntry) -> str:
    """Return an entry's number, title and member.

    Nothing is said of one that is gone, and nobody is named who is deleted.
    """
    if shown.is_gone:
        return _("{entry} · not shown any more").format(entry=_numbered(shown))
    is_named = not shown.submission.options.is_anonymous and shown.entry.member_id > 0
    member = f"<@{shown.entry.member_id}>" if is_named else _("a member")
    return f"{_entry_name(shown, _TITLE_IN_LIST)} · {member}"


def _entry_name(shown: ShownEntry, longest: int = MAX_TITLE) -> str:
    return " · ".join([_numbered(shown), *(escaped(cut(each, longest)) for each in _titles(shown))])


def _plain_name(shown: ShownEntry) -> str:
    """Return the name for an alternative text, where nothing is formatted."""
    return " · ".join([_numbered(shown), *_titles(shown)])


def _numbered(shown: ShownEntry) -> str:
    return _("Entry {number}").format(number=number(shown.entry.number))


def _titles(shown: ShownEntry) -> list[str]:
    title = shown.submission.options.title
    return [title] if title else []


def _entries_said(entries: Sequence[ShownEntry]) -> Iterator[str]:
    first, last = entries[0].entry.number, entries[-1].entry.number
    if first == last:
        yield _("Entry {number} · AI-generated").format(number=number(first))
        return
    yield _("Entries {first} to {last} · AI-generated").format(first=number(first), last=number(last))
    yield _("In their order: row by row, from the top left")
