"""Pages of `/history`: one job with its images, and buttons to its neighbours."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import ImageError, SearchGoneError
from bot.domain.jobs import Delivery, Job, State
from bot.images.image_service import ImageService
from bot.services.history import Direction, HistoryService, Page
from bot.ui.buttons import NEWER, OLDER, PROMPT
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.uploads import Uploads, fair_limit, prepare_uploads
from bot.ui.handlers.component_registry import search_id_of
from bot.ui.handlers.interactions import guild_of
from bot.ui.i18n import _, ngettext
from bot.ui.render.details import lineage_lines, message_link
from bot.ui.render.formatting import ago, escaped, in_credits, number
from bot.ui.render.job_card import (
    BLURPLE,
    GREY,
    Attached,
    gallery,
    heading,
    payload_view,
    prompt_is_cut,
    provider_credit,
    reencoded_note,
    settlement,
)

# Markdown for small text: the search line begins with it, every other page's first text is a heading.
_SEARCH_LINE: Final = "-# "
_MOST_HALVINGS: Final = 3


class HistoryHandlers:
    """Answers `/history` and its buttons, in place and to one person alone."""

    def __init__(self, *, history: HistoryService, images: ImageService) -> None:
        self._history = history
        self._images = images

    async def open(self, interaction: discord.Interaction[Any], query: str | None) -> None:
        """Answer the command with the latest page."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        page = await self._history.open(guild_of(interaction), interaction.user.id, query)
        await self._show(interaction, page, query)

    async def show_newer(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Show the page before a job's in the pressed message."""
        await self._turn(interaction, job_id, Direction.NEWER)

    async def show_older(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Show the page after a job's in the pressed message."""
        await self._turn(interaction, job_id, Direction.OLDER)

    async def _turn(self, interaction: discord.Interaction[Any], job_id: str, direction: Direction) -> None:
        """Show a neighbour of a job in the pressed message.

        Raises:
            SearchGoneError: the page's search is no longer stored.
        """
        await interaction.response.defer()
        search_id, search = search_id_of(interaction), None
        if search_id is not None:
            search = await self._history.get_search(search_id, interaction.user.id)
        elif interaction.message is not None and has_search_line(interaction.message.components):
            # Without an id, the page is older than stored searches. Paging on would silently leave its search, and
            # its text cannot be trusted: Discord may have changed characters.
            raise SearchGoneError
        page = await self._history.turn(guild_of(interaction), interaction.user.id, job_id, direction, search)
        await self._show(interaction, page, None if search is None else search.query)

    async def _show(self, interaction: discord.Interaction[Any], page: Page | None, query: str | None) -> None:
        if page is None:
            await _edit(interaction, empty_page(query), Uploads())
            return
        limit = fair_limit(page.pictures, interaction.filesize_limit)
        for halvings in range(_MOST_HALVINGS + 1):
            try:
                uploads = await prepare_uploads(self._images, page.pictures, limit >> halvings)
            except (OSError, ImageError):
                break
            try:
                await _edit(interaction, history_page(page, uploads.attached), uploads)
            except discord.HTTPException as error:
                if classify(error) is not DiscordErrorKind.TOO_LARGE:
                    raise
            else:
                return
        await _edit(interaction, history_page(page), Uploads())


async def _edit(interaction: discord.Interaction[Any], view: ui.LayoutView, uploads: Uploads) -> None:
    await interaction.edit_original_response(
        view=view, attachments=uploads.files(), allowed_mentions=discord.AllowedMentions.none()
    )


def history_page(page: Page, files: Sequence[Attached] = ()) -> ui.LayoutView:
    """Return a page; `files` are the pictures attached to the same message, in order."""
    job = page.job
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    if page.search is not None:
        container.add_item(ui.TextDisplay(_search_line(page.search.query)))
    container.add_item(ui.TextDisplay(heading(job.request, job.place.member_id)))
    if files:
        container.add_item(gallery(job, files))
    container.add_item(ui.TextDisplay("\n".join(_lines(page, files))))
    search_id = None if page.search is None else page.search.id
    buttons = [
        NEWER.build(job.id, disabled=not page.newer, search_id=search_id),
        OLDER.build(job.id, disabled=not page.older, search_id=search_id),
    ]
    if prompt_is_cut(job):
        buttons.append(PROMPT.build(job.id))
    container.add_item(ui.ActionRow(*buttons))
    return payload_view(container)


def empty_page(query: str | None) -> ui.LayoutView:
    """Return what to say where there is nothing to show."""
    if query is None:
        lines = [
            f"## {_('Nothing here yet')}",
            _("Make your first picture with `/imagine`; it is kept here for a while."),
        ]
    else:
        lines = [
            f"## {_('Nothing found')}",
            _("None of your pictures has this in its prompt. Try fewer letters, or leave it out."),
            _search_line(query),
        ]
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREY))


def _search_line(query: str) -> str:
    return _SEARCH_LINE + _("Search: {search}").format(search=escaped(query))


def has_search_line(components: Iterable[Any]) -> bool:
    """Return whether a page shows a search: its first text is then not the heading."""
    return next(_texts(components), "").startswith(_SEARCH_LINE)


def _texts(components: Iterable[Any]) -> Iterator[str]:
    for component in components:
        if isinstance(component, discord.TextDisplay):
            yield component.content
        yield from _texts(getattr(component, "children", ()))


def _lines(page: Page, files: Sequence[Attached]) -> list[str]:
    lines = [_removed(page)] if page.removed else []
    unshown = len(page.pictures) - len(files)
    if unshown > 0:
        said = ngettext(
            "{count} picture could not be shown here.", "{count} pictures could not be shown here.", unshown
        )
        lines.append(said.format(count=number(unshown)))
    lines += [f"-# {_receipt(page.job)}", f"-# {_whereabouts(page.job)}"]
    lines += [f"-# {step}" for step in lineage_lines(page.chain)]
    note = reencoded_note(files, _("the upload limit"))
    return lines if note is None else [*lines, note]


def _removed(page: Page) -> str:
    """Return that pictures are no longer kept, and where they may still be seen."""
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


def _receipt(job: Job) -> str:
    charged = job.charged or 0
    if job.state is not State.DONE:
        parts = [_("Came late, so free: {credits} returned").format(credits=in_credits(job.price))]
    elif charged == job.price:
        parts = [_("{credits} charged").format(credits=in_credits(charged))]
    else:
        parts = settlement(job.price, charged)
    if job.provider is not None:
        parts.append(provider_credit(job.provider))
    return " · ".join([*parts, ago(job.created_at)])


def _whereabouts(job: Job) -> str:
    """Return where the job's end was delivered, with a way there where there is one."""
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
