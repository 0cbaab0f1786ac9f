"""Overviews of `/history`: thumbnails of jobs, and a menu."""

from collections.abc import Mapping, Sequence
from typing import Final

import discord
from discord import ui

from bot.services.history import Entry, Overview
from bot.ui.buttons import OPEN, OVERVIEW, OVERVIEW_NEWER, OVERVIEW_OLDER, custom_id
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import alternative, number
from bot.ui.render.history_page import favourites_note, search_line
from bot.ui.render.job_card import BLURPLE, GREY, card_title, payload_view
from bot.ui.truncation import cut

_LONGEST_OPTION: Final = 100


def overview_page(overview: Overview, thumbnails: Mapping[str, str]) -> ui.LayoutView:
    """Return an overview.

    `thumbnails` maps jobs to the names of attached files.
    """
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    if overview.search is not None:
        container.add_item(ui.TextDisplay(search_line(overview.search.query)))
    container.add_item(ui.TextDisplay("\n".join(_heading(overview))))
    numbered = list(enumerate(overview.entries, overview.first))
    shown = [(place, entry) for place, entry in numbered if entry.job.id in thumbnails]
    if shown:
        gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
        for place, entry in shown:
            said = alternative(_title(place, entry, len(entry.job.request.prompt)))
            gallery.add_item(media=f"attachment://{thumbnails[entry.job.id]}", description=said)
        container.add_item(gallery)
    notes = _notes(overview.entries, thumbnails)
    if notes:
        container.add_item(ui.TextDisplay("\n".join(f"-# {note}" for note in notes)))
    container.add_item(ui.ActionRow(_menu(overview)))
    container.add_item(ui.ActionRow(*_buttons(overview)))
    return payload_view(container)


def no_favourites(job_id: str, *, search_id: str | None, query: str | None) -> ui.LayoutView:
    """Return the overview without favourites, with the way back to a job."""
    lines = [] if query is None else [search_line(query)]
    lines += [
        f"## {_('No favourites here')}",
        _("Open one of your pictures and press *Favourite* to find it here again."),
    ]
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREY)
    container.add_item(ui.ActionRow(OVERVIEW.build(job_id, label=_("All pictures"), search_id=search_id)))
    return payload_view(container)


def _heading(overview: Overview) -> list[str]:
    title = _("Your favourites") if overview.favourites else _("Your pictures")
    if overview.first == overview.last:
        said = _("{place} of {all}").format(place=number(overview.first), all=number(overview.total))
    else:
        # Translators: the positions of the first and the last picture on a page, such as "1-9 of 120".
        said = _("{first}-{last} of {all}").format(
            first=number(overview.first), last=number(overview.last), all=number(overview.total)
        )
    lines = [f"## {title}", f"-# {said} · {_('the latest first')}"]
    return [*lines, f"-# {favourites_note()}"] if overview.favourites else lines


def _notes(entries: Sequence[Entry], thumbnails: Mapping[str, str]) -> list[str]:
    notes = []
    gone = sum(not entry.pictures for entry in entries)
    if gone:
        said = ngettext(
            "{count} of these is no longer kept here, so it has no picture above.",
            "{count} of these are no longer kept here, so they have no picture above.",
            gone,
        )
        notes.append(said.format(count=number(gone)))
    unshown = sum(bool(entry.pictures) and entry.job.id not in thumbnails for entry in entries)
    if unshown:
        said = ngettext(
            "{count} picture could not be shown here.", "{count} pictures could not be shown here.", unshown
        )
        notes.append(said.format(count=number(unshown)))
    return notes


def _menu(overview: Overview) -> ui.Select[ui.LayoutView]:
    options = [
        discord.SelectOption(
            value=entry.job.id,
            label=cut(_title(place, entry, _LONGEST_OPTION), _LONGEST_OPTION),
            description=_facts(entry),
        )
        for place, entry in enumerate(overview.entries, overview.first)
    ]
    return ui.Select(
        placeholder=_("Open a picture…"),
        custom_id=custom_id(OPEN, overview.entries[0].job.id, int(overview.favourites), search_id=_search_id(overview)),
        options=options,
    )


def _title(place: int, entry: Entry, limit: int) -> str:
    """Return a job's place and its prompt, cut to a limit."""
    return f"{number(place)} · {card_title(entry.job.request, limit)}"


def _facts(entry: Entry) -> str:
    job, count = entry.job, len(entry.pictures) + entry.removed
    parts = [ngettext("{count} picture", "{count} pictures", count).format(count=number(count)), job.request.model]
    if not entry.pictures:
        parts.append(_("no longer kept here"))
    if job.is_private:
        parts.append(_("private"))
    if job.favourite_at is not None:
        parts.append(_("favourite"))
    return cut(" · ".join(parts), _LONGEST_OPTION)


def _buttons(overview: Overview) -> list[ui.Button[ui.LayoutView]]:
    first, last = overview.entries[0].job.id, overview.entries[-1].job.id
    view, search_id = int(overview.favourites), _search_id(overview)
    newer, older = overview.first > 1, overview.last < overview.total
    other = _("All pictures") if overview.favourites else _("Favourites")
    return [
        OVERVIEW_NEWER.build(first, picture=view, search_id=search_id, disabled=not (newer and overview.turns)),
        OVERVIEW_OLDER.build(last, picture=view, search_id=search_id, disabled=not (older and overview.turns)),
        OVERVIEW.build(first, picture=1 - view, label=other, search_id=search_id, disabled=not overview.turns),
    ]


def _search_id(overview: Overview) -> str | None:
    """Return the id of a stored search."""
    return None if overview.search is None or not overview.turns else overview.search.id
