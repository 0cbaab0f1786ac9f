"""The messages of a duel: question, card, answers, ranking."""

from collections.abc import Mapping, Sequence
from typing import Final

import discord
from discord import ui

from bot.domain.confirmations import Confirmation
from bot.domain.duels import MIN_DUELS, MIN_PICTURES, MIN_VOTES, Duel, DuelEntry, Phase, Standing
from bot.domain.jobs import Snapshot, State
from bot.domain.options import card_order
from bot.domain.requests import GenerationRequest
from bot.services.duels import DuelView
from bot.ui.buttons import DECLINE, DUEL_CANCEL, DUEL_END, DUEL_END_NOW, DUEL_START, DUEL_VOTE, PROMPT
from bot.ui.i18n import _, ngettext
from bot.ui.render.duel_words import hidden_reason
from bot.ui.render.formatting import ago, alternative, escaped, first_of, in_credits, moment, number, one_line, together
from bot.ui.render.job_card import (
    AMBER,
    BLURPLE,
    GREEN,
    GREY,
    RED,
    card_title,
    is_cancellable,
    option_words,
    payload_view,
    prompt_is_cut,
)
from bot.ui.render.refusal_lines import nothing_charged
from bot.ui.truncation import cut

_PROMPT_SHOWN: Final = 300
_LARGE_HEADING: Final = 72
# Discord's 4,000 characters count the descriptions of up to four pictures, too.
_LONGEST_DESCRIPTION: Final = 300
# The models are secret, and each makes one picture.
_UNSAID: Final = frozenset({"model", "images"})
_MOST_RANKED: Final = 15
_MOST_UNRANKED: Final = 10
_Container = ui.Container[ui.LayoutView]


def duel_question(
    confirmation: Confirmation, prices: Mapping[str, int], *, dearer_than_asked: bool = False
) -> ui.LayoutView:
    """Return the question before a duel; `prices` are those of its models."""
    listed = ", ".join(f"{escaped(model)} {number(price)}" for model, price in prices.items())
    said = _("This takes {credits}: {listed}.").format(credits=in_credits(confirmation.price), listed=listed)
    if dearer_than_asked:
        said = f"{_('The price has changed since it was shown.')}\n{said}"
    hours = 0 if confirmation.duel is None else confirmation.duel.hours
    open_for = ngettext("The vote is open for {count} hour.", "The vote is open for {count} hours.", hours)
    notes = _("Nobody sees the models before its end. You have no vote: your `/history` names them.")
    container: _Container = ui.Container(accent_colour=AMBER)
    container.add_item(ui.TextDisplay(_heading(confirmation.request, len(prices), confirmation.member_id)))
    container.add_item(ui.TextDisplay(f"{said}\n-# {open_for.format(count=number(hours))} {notes}"))
    label = _("Generate · {credits}").format(credits=in_credits(confirmation.price))
    start = DUEL_START.build(confirmation.id, label=label, price=confirmation.price)
    container.add_item(ui.ActionRow(start, DECLINE.build(confirmation.id)))
    return payload_view(container)


def begun_note() -> ui.LayoutView:
    """Return the answered question."""
    return payload_view(ui.Container(ui.TextDisplay(_("The duel has begun.")), accent_colour=GREY))


def hidden_note() -> ui.LayoutView:
    """Return the message of a duel with no other viewer."""
    said = nothing_charged(hidden_reason(), _("Start it in another channel."))
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREY))


def duel_card(view: DuelView, files: Mapping[int, str] | None = None) -> ui.LayoutView:
    """Return the one message of a duel as of now.

    `files` are the names of its attached pictures, by position; hidden ones are covered by spoilers. No model is named
    before the end.
    """
    duel, job, files = view.duel, view.card_job, files or {}
    container: _Container = ui.Container(accent_colour=_colour(view))
    container.add_item(ui.TextDisplay(_heading(job.request, len(duel.entries), duel.member_id)))
    buttons: list[ui.Button[ui.LayoutView]] = []
    match duel.phase:
        case Phase.RUNNING:
            container.add_item(ui.TextDisplay(_progress(view)))
            if any(is_cancellable(Snapshot(job=each)) for each in view.jobs):
                buttons.append(DUEL_CANCEL.build(duel.id))
        case Phase.VOTING:
            for entry in duel.entries:
                _add_picture(container, f"### {entry.letter}", entry, view, files)
            container.add_item(ui.TextDisplay(_call(duel)))
            buttons += [
                DUEL_VOTE.build(duel.id, label=entry.letter, picture=entry.position)
                for entry in duel.entries
                if entry.position in files and entry.position not in view.hidden
            ]
            buttons.append(DUEL_END.build(duel.id))
        case Phase.ENDED:
            container.add_item(ui.TextDisplay(_outcome(view)))
            for entry in duel.entries:
                _add_picture(
                    container, f"### {_revealed(entry, view, is_shown=entry.position in files)}", entry, view, files
                )
            container.add_item(ui.TextDisplay(_receipt(view)))
    if buttons:
        container.add_item(ui.ActionRow(*buttons))
    if prompt_is_cut(job):
        container.add_item(ui.ActionRow(PROMPT.build(job.id)))
    return payload_view(container)


def _heading(request: GenerationRequest, models: int, member_id: int) -> str:
    """Return prompt and options without the model, and the organizer."""
    title = cut(card_title(request, _PROMPT_SHOWN), _PROMPT_SHOWN)
    mark = "##" if len(title) <= _LARGE_HEADING else "###"
    words = [
        option_words(spec, spec.typed(value), escape=spec.free_text)
        for spec in card_order()
        if spec.name not in _UNSAID and ((value := getattr(request, spec.name)) != spec.default or spec.always_on_card)
    ]
    duel = ngettext("Duel of {count} model", "Duel of {count} models", models).format(count=number(models))
    parts = [duel, *words, _("for {member}").format(member=f"<@{member_id}>")]
    return f"{mark} {escaped(title)}\n-# {' · '.join(parts)}"


def _colour(view: DuelView) -> discord.Colour:
    match view.duel.phase:
        case Phase.RUNNING:
            return BLURPLE
        case Phase.VOTING:
            return AMBER
        case Phase.ENDED if view.made:
            return GREEN
        case _ if all(job.state is State.CANCELLED for job in view.jobs):
            return GREY
        case _:
            return RED


def _progress(view: DuelView) -> str:
    ready = _("{count} of {all} ready").format(count=number(view.ended_jobs), all=number(len(view.jobs)))
    if any(job.submitted_at is not None or job.state.ended for job in view.jobs):
        state = _("Generating")
    else:
        state = _("Queued")
    return f"{state} · {ready} · {ago(view.duel.created_at)}\n-# {_('The vote begins once all have ended.')}"


def _call(duel: Duel) -> str:
    """Return the call to vote with its end."""
    if duel.ends_at is None:
        return _("Vote for the best picture.")
    said = _("Vote for the best picture, until {when} ({relative}).")
    hint = _("One vote each, changeable until the end. The models and the counts are shown then.")
    return f"{said.format(when=moment(duel.ends_at), relative=ago(duel.ends_at))}\n-# {hint}"


def _add_picture(
    container: _Container, heading: str, entry: DuelEntry, view: DuelView, files: Mapping[int, str]
) -> None:
    """Add a picture below its heading, or the reason for its absence."""
    filename = files.get(entry.position)
    if filename is None:
        container.add_item(ui.TextDisplay(f"{heading}\n{_absence(view, entry.position)}"))
        return
    is_covered = entry.position in view.hidden
    covered = f"\n{_('Covered until a moderator has looked.')}" if is_covered else ""
    container.add_item(ui.TextDisplay(f"{heading}{covered}"))
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    prompt = one_line(view.card_job.request.prompt)
    title = _("Picture {letter}: {prompt}").format(letter=entry.letter, prompt=prompt)
    description = alternative(title, _LONGEST_DESCRIPTION)
    gallery.add_item(media=f"attachment://{filename}", description=description, spoiler=is_covered)
    container.add_item(gallery)


def _absence(view: DuelView, position: int) -> str:
    job, phase = view.jobs[position], view.duel.phase
    if position in view.hidden:
        return _("Hidden until a moderator has looked.")
    if job.deleted_at is not None:
        return _("The picture was deleted.")
    if job.state is State.DONE:
        if phase is Phase.VOTING:
            return _("The picture could not be shown here, so nobody can vote for it.")
        said = _("The picture could not be shown here.")
        if _took_no_votes(view, position):
            said = _("The picture could not be shown here, so nobody could vote for it.")
        return f"{said} {_('Its member finds it with `/history`.')}"
    return f"{_('No picture')} · {_('nothing was charged')}"


def _took_no_votes(view: DuelView, position: int) -> bool:
    """Return whether a missing picture had no vote, and is not expired."""
    return view.duel.opened_at is not None and not view.duel.entries[position].votes and position not in view.expired


def _revealed(entry: DuelEntry, view: DuelView, *, is_shown: bool) -> str:
    """Return the letter, model, votes and price of a picture."""
    job, duel = view.jobs[entry.position], view.duel
    parts: list[str] = []
    is_counted = is_shown or not _took_no_votes(view, entry.position)
    if duel.opened_at is not None and entry.votes is not None and is_counted:
        parts.append(_votes(entry.votes))
    if job.charged:
        parts.append(in_credits(job.charged))
    title = f"{entry.letter} · {escaped(entry.model)}"
    return f"{title}\n-# {' · '.join(parts)}" if parts else title


def _votes(count: int) -> str:
    return ngettext("{count} vote", "{count} votes", count).format(count=number(count))


def _outcome(view: DuelView) -> str:
    """Return the result in one line."""
    duel = view.duel
    if duel.opened_at is None:
        if all(job.state is State.CANCELLED for job in view.jobs):
            return _("Cancelled.")
        if not view.made:
            return _("No picture arrived, so there was no vote.")
        if len(view.made) < MIN_PICTURES:
            return _("Only one picture arrived, so there was no vote.")
        return _("There was no vote.")
    winners, total = duel.winners, duel.total_votes
    if not winners:
        return _("The vote has ended without a vote.")
    names = together([f"**{escaped(winner.model)}** ({winner.letter})" for winner in winners])
    most = number(winners[0].votes or 0)
    if len(winners) > 1:
        said = ngettext(
            "Tie: {models}, with {most} of {count} vote each.",
            "Tie: {models}, with {most} of {count} votes each.",
            total,
        )
    else:
        said = ngettext(
            "{models} wins, with {most} of {count} vote.", "{models} wins, with {most} of {count} votes.", total
        )
    return said.format(models=names, most=most, count=number(total))


def _receipt(view: DuelView) -> str:
    """Return the price of all, and whether the duel counts."""
    duel = view.duel
    charged = sum(job.charged or 0 for job in view.jobs)
    parts = [in_credits(charged)]
    if duel.opened_at is not None and duel.counts:
        parts.append(_("counts for `/duel ranking`"))
    elif duel.opened_at is not None and duel.total_votes < MIN_VOTES:
        few = ngettext(
            "too few votes for `/duel ranking`: {count} is needed",
            "too few votes for `/duel ranking`: {count} are needed",
            MIN_VOTES,
        )
        parts.append(few.format(count=number(MIN_VOTES)))
    return f"-# {' · '.join(parts)}"


def voted_note(duel: Duel, letter: str, *, changed: bool) -> ui.LayoutView:
    """Return the private answer to a vote."""
    said = _("Your vote is {letter} now.") if changed else _("You voted for {letter}.")
    lines = [said.format(letter=f"**{letter}**")]
    if duel.ends_at is not None:
        lines.append(f"-# {_('Press another letter to change it, until {when}.').format(when=moment(duel.ends_at))}")
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREEN))


def end_question(duel: Duel, votes: int) -> ui.LayoutView:
    """Return the question before the early end of a vote."""
    said = ngettext("End the vote now, with {count} vote?", "End the vote now, with {count} votes?", votes)
    until = "" if duel.ends_at is None else _("It would end {when}.").format(when=ago(duel.ends_at))
    note = _("It cannot be opened again.")
    container: _Container = ui.Container(accent_colour=AMBER)
    container.add_item(ui.TextDisplay(f"{said.format(count=number(votes))}\n-# {f'{until} {note}'.strip()}"))
    container.add_item(ui.ActionRow(DUEL_END_NOW.build(duel.id)))
    return payload_view(container)


def ended_note() -> ui.LayoutView:
    """Return the answered question about the end."""
    said = _("The vote has ended. Its message shows the models and the votes.")
    return payload_view(ui.Container(ui.TextDisplay(said), accent_colour=GREEN))


def ranking_panel(standings: Sequence[Standing], duels: int) -> ui.LayoutView:
    """Return the ranking of a guild's models with its numbers."""
    lines = [f"## {_('Models by duels in this server')}"]
    if not duels:
        lines += [_("No duel counts yet."), f"-# {_counting()}", f"-# {_('Start one with `/duel start`.')}"]
        return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREY))
    held = ngettext("From {count} duel.", "From {count} duels.", duels).format(count=number(duels))
    lines.append(f"{held}\n")
    ranked = [each for each in standings if each.is_ranked]
    lines += first_of([_standing(place, each) for place, each in enumerate(ranked, 1)], _MOST_RANKED)
    others = [f"{escaped(each.model)} ({_duels(each.duels)})" for each in standings if not each.is_ranked]
    if others:
        needed = ngettext(
            "No rank before {count} duel: {models}",
            "No rank before {count} duels: {models}",
            MIN_DUELS,
        )
        lines.append(f"-# {needed.format(count=number(MIN_DUELS), models=', '.join(first_of(others, _MOST_UNRANKED)))}")
    how = _(
        "A duel compares its models in pairs: more votes win, and a tie is half a win. The order is by the lower end"
        " of the share's 95 % range, so a model with few duels has to win more of them."
    )
    lines += ["", f"-# {how}", f"-# {_counting()}"]
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE))


def _standing(place: int, standing: Standing) -> str:
    share = number(round(100 * standing.score / standing.pairings)) if standing.pairings else "0"
    pairs = ngettext("{percent} % of {count} pair won", "{percent} % of {count} pairs won", standing.pairings)
    parts = [
        pairs.format(percent=share, count=number(standing.pairings)),
        _duels(standing.duels),
        _votes(standing.votes),
    ]
    # Not a Markdown list: phones indent it.
    return f"**{place}\u2024 {escaped(standing.model)}**\n-# {' · '.join(parts)}"


def _duels(count: int) -> str:
    return ngettext("{count} duel", "{count} duels", count).format(count=number(count))


def _counting() -> str:
    said = ngettext("A duel counts from {count} vote on.", "A duel counts from {count} votes on.", MIN_VOTES)
    return said.format(count=number(MIN_VOTES))
