"""Pages of `/history`: one job, and buttons to its neighbours."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict

import discord
from discord import ui

from bot.domain.jobs import Action, Delivery, Job, State
from bot.providers.registry import display_name
from bot.services.history import Page
from bot.ui.buttons import FAVOURITE, NEWER, OLDER, OVERVIEW, PROMPT, UNFAVOURITE
from bot.ui.component_tree import walk
from bot.ui.i18n import _, ngettext
from bot.ui.render.action_items import action_items
from bot.ui.render.details import lineage_lines, message_link
from bot.ui.render.formatting import ago, escaped, in_credits, number
from bot.ui.render.job_card import (
    BLURPLE,
    GREY,
    Attached,
    age_restricted_note,
    gallery,
    heading,
    payload_view,
    prompt_is_cut,
    provider_credit,
    reencoded_note,
    removed_note,
    settlement,
)

# Markdown for small text: the search line begins with it, every other page's first text is a heading.
_SEARCH_LINE: Final = "-# "


class _Where(TypedDict):
    """Parts of a custom id for the jobs to page through."""

    picture: int
    search_id: str | None


def history_page(
    page: Page,
    files: Sequence[Attached] = (),
    *,
    actions: Collection[Action] = (),
    prices: Mapping[Action, int] | None = None,
    provider_name: Callable[[str], str] = display_name,
) -> ui.LayoutView:
    """Return a page.

    `files` are its attached images, in order. `actions` and `prices` are as for `action_items`. `provider_name` returns
    a provider's name for people.
    """
    job = page.job
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    if page.search is not None:
        container.add_item(ui.TextDisplay(search_line(page.search.query)))
    container.add_item(ui.TextDisplay(heading(job.request, job.place.member_id)))
    if files:
        container.add_item(gallery(job, files))
    container.add_item(ui.TextDisplay("\n".join(_lines(page, files, provider_name))))
    # An image that is no longer kept can only be made again.
    possible = actions if page.pictures else [action for action in actions if action is Action.AGAIN]
    shown = [each.position for each in page.pictures] if len(files) == len(page.pictures) else []
    for item in action_items(job, possible, prices or {}, shown=shown, shareable=page.is_shareable, favourite=False):
        container.add_item(item)
    container.add_item(ui.ActionRow(*_buttons(page)))
    return payload_view(container)


def _buttons(page: Page) -> list[ui.Button[ui.LayoutView]]:
    job = page.job
    where: _Where = {
        "picture": int(page.favourites),
        "search_id": None if page.search is None else page.search.id,
    }
    buttons = [
        NEWER.build(job.id, disabled=not page.newer, **where),
        OLDER.build(job.id, disabled=not page.older, **where),
    ]
    if page.total > 1 or page.favourites or page.search is not None:
        buttons.append(OVERVIEW.build(job.id, **where))
    buttons.append((FAVOURITE if job.favourite_at is None else UNFAVOURITE).build(job.id, **where))
    if prompt_is_cut(job):
        buttons.append(PROMPT.build(job.id))
    return buttons


def empty_page(query: str | None) -> ui.LayoutView:
    """Return the page without results."""
    if query is None:
        lines = [
            f"## {_('Nothing here yet')}",
            _("Make your first picture with `/imagine`; it is kept here for a while."),
        ]
    else:
        lines = [
            f"## {_('Nothing found')}",
            _("None of your prompts contains this. Try fewer letters, or leave it out."),
            search_line(query),
        ]
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREY))


def search_line(query: str) -> str:
    """Return the line of a search, the first one on its pages."""
    return _SEARCH_LINE + _("Search: {search}").format(search=escaped(query))


def favourite_note(*, is_favourite: bool) -> ui.LayoutView:
    """Return the note after a card's *Favourite* was chosen."""
    if is_favourite:
        said = [_("A favourite now: find it in `/history` under *Favourites*."), f"-# {favourites_note()}"]
    else:
        said = [_("No longer a favourite. It stays in `/history`.")]
    return payload_view(ui.Container(ui.TextDisplay("\n".join(said)), accent_colour=GREY))


def favourites_note() -> str:
    """Return the note on the retention of favourites."""
    return _("Favourites are kept as long as other pictures: save the ones that you want for good.")


def has_search_line(components: Iterable[Any]) -> bool:
    """Return whether a page shows a search.

    Its first text is then not the heading.
    """
    texts = (each.content for each in walk(components) if isinstance(each, discord.TextDisplay))
    return next(texts, "").startswith(_SEARCH_LINE)


def _lines(page: Page, files: Sequence[Attached], provider_name: Callable[[str], str]) -> list[str]:
    lines = [removed_note(page.taken_down)] if page.taken_down else []
    lines += [_removed(page)] if page.removed else []
    unshown = len(page.pictures) - len(files)
    if unshown > 0:
        said = ngettext(
            "{count} picture could not be shown here.", "{count} pictures could not be shown here.", unshown
        )
        misplaced = page.job.age_restricted and not files
        lines.append(age_restricted_note() if misplaced else said.format(count=number(unshown)))
    small = (_position(page), _receipt(page.job, provider_name), _whereabouts(page.job))
    lines += [f"-# {line}" for line in small if line]
    lines += [f"-# {step}" for step in lineage_lines(page.chain)]
    note = reencoded_note(files, _("the upload limit"))
    return lines if note is None else [*lines, note]


def _removed(page: Page) -> str:
    """Return a note on images past their retention.

    It names other places with the images.
    """
    gone = page.removed
    if page.pictures:
        said = ngettext(
            "{count} picture of {all} is no longer kept here: the studio keeps pictures for a while only.",
            "{count} pictures of {all} are no longer kept here: the studio keeps pictures for a while only.",
            gone,
        )
    else:
        said = ngettext(
            "The picture is no longer kept here: the studio keeps pictures for a while only.",
            "The {count} pictures are no longer kept here: the studio keeps pictures for a while only.",
            gone,
        )
    text = said.format(count=number(gone), all=number(gone + len(page.pictures)))
    match page.job.delivery:
        case Delivery.CARD if page.job.state is State.DONE:
            perhaps = ngettext("The card may still have it.", "The card may still have them.", gone)
        case Delivery.DIRECT:
            perhaps = ngettext(
                "Your direct messages may still have it.", "Your direct messages may still have them.", gone
            )
        case _:
            return text
    return f"{text} {perhaps}"


def _position(page: Page) -> str:
    """Return the position among all, and the marks of the job."""
    parts = []
    if page.position:
        parts.append(_("{place} of {all}").format(place=number(page.position), all=number(page.total)))
    if page.job.favourite_at is not None:
        parts.append(_("favourite"))
    if page.job.is_private:
        parts.append(_("private"))
    return " · ".join(parts)


def _receipt(job: Job, provider_name: Callable[[str], str]) -> str:
    charged = job.charged or 0
    if job.state is not State.DONE:
        parts = [_("Came late, so free: {credits} returned").format(credits=in_credits(job.price))]
    elif charged == job.price:
        parts = [_("{credits} charged").format(credits=in_credits(charged))]
    else:
        parts = settlement(job.price, charged)
    if job.provider is not None:
        parts.append(provider_credit(provider_name(job.provider)))
    return " · ".join([*parts, ago(job.created_at)])


def _whereabouts(job: Job) -> str:
    """Return the place of the job's delivery, linked if possible."""
    match job.delivery:
        case Delivery.CARD if job.state is State.DONE:
            link = message_link(job)
            return _("Posted on its card") if link is None else _("Posted in {link}").format(link=link)
        case Delivery.CARD:
            return _("Its card ended without pictures") + _link(job)
        case Delivery.DIRECT:
            return _("Delivered by direct message: its card could not be reached")
        case None:
            return _("On its way to its card") + _link(job)
        case _:
            return _("Delivered here alone: its card could not be reached")


def _link(job: Job) -> str:
    link = message_link(job)
    return "" if link is None else f" · {link}"
