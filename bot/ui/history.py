"""`/history` as its member sees it: a page of one job with its pictures, and the search that its buttons keep."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import PictureError
from bot.domain.jobs import Delivery, Job, State
from bot.images.keeper import PictureKeeper
from bot.services.history import Direction, HistoryService, Page
from bot.ui.buttons import NewerButton, OlderButton, PromptButton
from bot.ui.cards import (
    BLURPLE,
    GREY,
    PROVIDER_NAMES,
    Attached,
    gallery,
    heading,
    payload_view,
    prompt_is_cut,
    reencoded_note,
)
from bot.ui.text import ago, counted, escaped, in_credits
from bot.ui.troubles import Trouble, trouble_of
from bot.ui.uploads import Uploads, fair_limit, prepare_uploads

_SEARCH: Final = "-# Search: "
_MOST_HALVINGS: Final = 3
_ESCAPE: Final = re.compile(r"\\([^0-9A-Za-z\s])")


class Gallery:
    """Answers `/history` and its buttons, in place and to one person alone."""

    def __init__(self, *, history: HistoryService, keeper: PictureKeeper) -> None:
        self._history = history
        self._keeper = keeper

    async def open(self, interaction: discord.Interaction[Any], search: str | None) -> None:
        """Answer the command with the latest page."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        page = await self._history.latest(interaction.guild_id or 0, interaction.user.id, search)
        await self._show(interaction, page, search)

    async def turn(self, interaction: discord.Interaction[Any], job_id: str, direction: Direction) -> None:
        """Turn the page of the message whose button was pressed."""
        await interaction.response.defer()
        search = None if interaction.message is None else search_of(interaction.message.components)
        page = await self._history.turn(interaction.guild_id or 0, interaction.user.id, job_id, direction, search)
        await self._show(interaction, page, search)

    async def _show(self, interaction: discord.Interaction[Any], page: Page | None, search: str | None) -> None:
        if page is None:
            await _edit(interaction, empty_page(search), Uploads())
            return
        limit = fair_limit(page.pictures, interaction.filesize_limit)
        for halvings in range(_MOST_HALVINGS + 1):
            try:
                uploads = await prepare_uploads(self._keeper, page.pictures, limit >> halvings)
            except (OSError, PictureError):
                break
            try:
                await _edit(interaction, history_page(page, uploads.attached), uploads)
            except discord.HTTPException as error:
                if trouble_of(error) is not Trouble.TOO_LARGE:
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
        container.add_item(ui.TextDisplay(f"{_SEARCH}{escaped(page.search)}"))
    container.add_item(ui.TextDisplay(heading(job)))
    if files:
        container.add_item(gallery(job, files))
    container.add_item(ui.TextDisplay("\n".join(_lines(page, files))))
    buttons: list[NewerButton | OlderButton | PromptButton] = [
        NewerButton(job.id, disabled=not page.newer),
        OlderButton(job.id, disabled=not page.older),
    ]
    if prompt_is_cut(job):
        buttons.append(PromptButton(job.id))
    container.add_item(ui.ActionRow(*buttons))
    return payload_view(container)


def empty_page(search: str | None) -> ui.LayoutView:
    """Return what to say where there is nothing to show."""
    if search is None:
        text = "## Nothing here yet\nMake your first picture with `/imagine`; it is kept here for a while."
    else:
        text = (
            "## Nothing found\nNone of your pictures has this in its prompt. Try fewer letters, or leave it out.\n"
            f"{_SEARCH}{escaped(search)}"
        )
    return payload_view(ui.Container(ui.TextDisplay(text), accent_colour=GREY))


def search_of(components: Iterable[Any]) -> str | None:
    """Return the search that a page says it has; None where it has none, or says it in a way that is not ours."""
    shown = next((text.removeprefix(_SEARCH) for text in _texts(components) if text.startswith(_SEARCH)), None)
    if shown is None:
        return None
    search = _ESCAPE.sub(r"\1", shown).replace("@\u200b", "@").strip("\u2068\u2069")
    return search if escaped(search) == shown else None


def _texts(components: Iterable[Any]) -> Iterator[str]:
    for component in components:
        if isinstance(component, discord.TextDisplay):
            yield component.content
        yield from _texts(getattr(component, "children", ()))


def _lines(page: Page, files: Sequence[Attached]) -> list[str]:
    lines = [_removed(page)] if page.removed else []
    unshown = len(page.pictures) - len(files)
    if unshown > 0:
        lines.append(f"{counted(unshown, 'picture')} could not be shown here.")
    lines += [f"-# {_receipt(page.job)}", f"-# {_whereabouts(page.job)}"]
    note = reencoded_note(files, "the")
    return lines if note is None else [*lines, note]


def _removed(page: Page) -> str:
    """Return that pictures are no longer kept, and where they may still be seen."""
    gone = counted(page.removed, "picture")
    which = f"{gone} of {page.removed + len(page.pictures)}" if page.pictures else f"The {gone.removeprefix('1 ')}"
    verb = "is" if page.removed == 1 else "are"
    them = "it" if page.removed == 1 else "them"
    text = f"{which} {verb} no longer kept here: the studio keeps pictures for a while only."
    match page.job.delivery:
        case Delivery.CARD if page.job.state is State.DONE:
            return f"{text} The card may still have {them}."
        case Delivery.DIRECT:
            return f"{text} Your direct messages may still have {them}."
        case _:
            return text


def _receipt(job: Job) -> str:
    charged = job.charged or 0
    if job.state is not State.DONE:
        parts = [f"Came late, so free: {in_credits(job.price)} returned"]
    elif charged == job.price:
        parts = [f"{in_credits(charged)} charged"]
    else:
        parts = [f"{job.price:,} held", f"{charged:,} charged", f"{job.price - charged:,} returned"]
    if job.provider is not None:
        parts.append(f"by {PROVIDER_NAMES.get(job.provider, job.provider)}")
    return " · ".join([*parts, ago(job.created_at)])


def _whereabouts(job: Job) -> str:
    """Return where the job's end was delivered, with a way there where there is one."""
    match job.delivery:
        case Delivery.CARD if job.state is State.DONE:
            return f"Delivered on its card{_link(job)}"
        case Delivery.CARD:
            return f"Its card ended without pictures{_link(job)}"
        case Delivery.DIRECT:
            return "Delivered by direct message: its card could not be reached"
        case None:
            return f"On its way to its card{_link(job)}"
        case _:
            return "Delivered here alone: its card could not be reached"


def _link(job: Job) -> str:
    place = job.place
    if place.message_id is None:
        return ""
    return f" · https://discord.com/channels/{place.community_id or '@me'}/{place.channel_id}/{place.message_id}"
