"""Handlers of `/history` and its buttons."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

import discord
from discord import ui

from bot.domain.age_restriction import may_show
from bot.domain.errors import ImageError, NotOfferedError, SearchGoneError
from bot.domain.jobs import Action, Job
from bot.domain.provenance import mark_for
from bot.images.decoder_values import Upload
from bot.images.image_service import ImageService
from bot.providers.registry import display_name
from bot.services.history import Direction, HistoryService, Overview, Page, Selection
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.page_turns import PageTurn, PageTurns
from bot.ui.delivery.same_view import same_view
from bot.ui.delivery.thumbnails import prepare_thumbnails
from bot.ui.delivery.uploads import fair_limit, open_file, prepare_uploads
from bot.ui.handlers.component_registry import picture_of, search_id_of, selected_values
from bot.ui.handlers.interactions import guild_of, is_age_restricted
from bot.ui.render.history_overview import no_favourites, overview_page
from bot.ui.render.history_page import empty_page, favourite_note, has_search_line, history_page
from bot.ui.render.job_card import Attached

_MOST_HALVINGS: Final = 3


class HistoryHandlers:
    """Answers `/history` and its buttons, in place and to one person alone.

    `actions` and `prices` are as for `ResultDelivery`.
    """

    def __init__(
        self,
        *,
        history: HistoryService,
        images: ImageService,
        actions: Collection[Action],
        prices: Callable[[Job], Awaitable[Mapping[Action, int]]],
        page_turns: PageTurns,
        provider_name: Callable[[str], str] = display_name,
    ) -> None:
        self._history = history
        self._images = images
        self._actions = actions
        self._prices = prices
        self._page_turns = page_turns
        self._provider_name = provider_name

    async def open(self, interaction: discord.Interaction[Any], query: str | None) -> None:
        """Answer the command with the latest pictures, or a single one."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id, member_id = guild_of(interaction), interaction.user.id
        overview = await self._history.open(guild_id, member_id, query)
        if overview is not None and overview.total == 1:
            job = overview.entries[0].job
            # A search that could not be stored has no buttons.
            search = overview.search if overview.turns else None
            selection = Selection(guild_id=guild_id, member_id=member_id, search=search)
            page = await self._history.get(selection, job.id)
            with self._page_turns.answering(interaction) as turn:
                await self._show(interaction, turn, page, query)
        else:
            with self._page_turns.answering(interaction) as turn:
                await self._show_overview(interaction, turn, overview, query)

    async def show_newer(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Show the next newer job in the pressed message."""
        await self._turn(interaction, job_id, Direction.NEWER)

    async def show_older(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Show the next older job in the pressed message."""
        await self._turn(interaction, job_id, Direction.OLDER)

    async def show_overview(
        self, interaction: discord.Interaction[Any], job_id: str, direction: Direction | None = None
    ) -> None:
        """Show an overview with a job, or the next in a direction.

        Raises:
            SearchGoneError: the page's search is no longer stored.
        """
        with self._page_turns.answering(interaction) as turn:
            await interaction.response.defer()
            selection = await self._selection(interaction)
            overview = await self._history.browse(selection, job_id, direction)
            if overview is None and selection.favourites:
                await turn.edit(_no_favourites(selection, job_id), ())
                return
            await self._show_overview(interaction, turn, overview, _query(selection))

    async def open_job(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Show the job chosen in the menu of an overview.

        Raises the errors of `HistoryService.get`.

        Raises:
            NotOfferedError: nothing was chosen.
            SearchGoneError: the page's search is no longer stored.
        """
        with self._page_turns.answering(interaction) as turn:
            await interaction.response.defer()
            chosen = selected_values(interaction)
            if not chosen:
                raise NotOfferedError
            selection = await self._selection(interaction)
            await self._show(interaction, turn, await self._history.get(selection, chosen[0]), None)

    async def mark_favourite(self, interaction: discord.Interaction[Any], job_id: str, *, favourite: bool) -> None:
        """Make a page's job a favourite, or end that, and show it.

        Raises the errors of `HistoryService.mark_favourite`.
        """
        with self._page_turns.answering(interaction) as turn:
            await interaction.response.defer()
            selection = await self._selection(interaction)
            await self._history.mark_favourite(job_id, interaction.user.id, favourite=favourite)
            page = await self._history.get(selection, job_id)
            same = None if interaction.message is None else same_view(interaction.message)
            if same is not None and len(same[1]) == len(page.pictures):
                view = await self._page(page, [Attached(filename=each.filename) for each in same[1]])
                if await turn.edit_in_place(view, same[1]):
                    return
            await self._show(interaction, turn, page, None)

    async def toggle_favourite(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Make a card's job a favourite, or end that, and say so.

        Raises the errors of `HistoryService.toggle_favourite`.
        """
        is_favourite = await self._history.toggle_favourite(job_id, interaction.user.id)
        await interaction.response.send_message(
            view=favourite_note(is_favourite=is_favourite),
            ephemeral=True,
            allowed_mentions=discord.AllowedMentions.none(),
        )

    async def _turn(self, interaction: discord.Interaction[Any], job_id: str, direction: Direction) -> None:
        """Show a neighbour of a job in the pressed message.

        Raises:
            SearchGoneError: the page's search is no longer stored.
        """
        with self._page_turns.answering(interaction) as turn:
            await interaction.response.defer()
            selection = await self._selection(interaction)
            page = await self._history.turn(selection, job_id, direction)
            if page is None and selection.favourites:
                await turn.edit(_no_favourites(selection, job_id), ())
                return
            await self._show(interaction, turn, page, _query(selection))

    async def _selection(self, interaction: discord.Interaction[Any]) -> Selection:
        """Return the jobs among which a pressed button leads on.

        Raises:
            SearchGoneError: the page's search is no longer stored.
        """
        search_id, search = search_id_of(interaction), None
        if search_id is not None:
            search = await self._history.get_search(search_id, interaction.user.id)
        elif interaction.message is not None and has_search_line(interaction.message.components):
            # Without an id, the page is older than stored searches. Paging on would silently leave its search, and
            # its text cannot be trusted: Discord may have changed characters.
            raise SearchGoneError
        return Selection(
            guild_id=guild_of(interaction),
            member_id=interaction.user.id,
            favourites=picture_of(interaction) == 1,
            search=search,
        )

    async def _show_overview(
        self, interaction: discord.Interaction[Any], turn: PageTurn, overview: Overview | None, query: str | None
    ) -> None:
        if overview is None:
            await turn.edit(empty_page(query), ())
            return
        uploads = await self._thumbnails(overview, interaction)
        names = {job_id: f"thumbnail-{place}.{each.extension}" for place, (job_id, each) in enumerate(uploads.items())}
        files = [open_file(uploads[job_id], name) for job_id, name in names.items()]
        try:
            await turn.edit(overview_page(overview, names), files)
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.TOO_LARGE:
                raise
            await turn.edit(overview_page(overview, {}), ())

    async def _thumbnails(self, overview: Overview, interaction: discord.Interaction[Any]) -> dict[str, Upload]:
        """Return the possible thumbnails of first images by job."""
        here = [each for each in overview.entries if _may_show(interaction, each.job)]
        pictures = {each.job.id: each.pictures[0] for each in here if each.pictures}
        return await prepare_thumbnails(self._images, pictures, member=interaction.user.id)

    async def _show(
        self, interaction: discord.Interaction[Any], turn: PageTurn, page: Page | None, query: str | None
    ) -> None:
        if page is None:
            await turn.edit(empty_page(query), ())
            return
        if not _may_show(interaction, page.job):
            await turn.edit(await self._page(page), ())
            return
        limit = fair_limit(page.pictures, interaction.filesize_limit)
        for halvings in range(_MOST_HALVINGS + 1):
            try:
                uploads = await prepare_uploads(
                    self._images,
                    page.pictures,
                    limit >> halvings,
                    member=interaction.user.id,
                    mark=mark_for(page.job.request.model, page.job.request.inputs),
                )
            except (OSError, ImageError):
                break
            try:
                await turn.edit(await self._page(page, uploads.attached), uploads.files())
            except discord.HTTPException as error:
                if classify(error) is not DiscordErrorKind.TOO_LARGE:
                    raise
            else:
                return
        await turn.edit(await self._page(page), ())

    async def _page(self, page: Page, files: Sequence[Attached] = ()) -> ui.LayoutView:
        prices = await self._prices(page.job)
        return history_page(page, files, actions=self._actions, prices=prices, provider_name=self._provider_name)


def _may_show(interaction: discord.Interaction[Any], job: Job) -> bool:
    return may_show(is_age_restricted=job.age_restricted, in_age_restricted=is_age_restricted(interaction))


def _query(selection: Selection) -> str | None:
    return None if selection.search is None else selection.search.query


def _no_favourites(selection: Selection, job_id: str) -> ui.LayoutView:
    search_id = None if selection.search is None else selection.search.id
    return no_favourites(job_id, search_id=search_id, query=_query(selection))
