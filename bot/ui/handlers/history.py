"""Handlers of `/history` and its buttons."""

from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import ImageError, SearchGoneError
from bot.images.image_service import ImageService
from bot.services.history import Direction, HistoryService, Page
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.uploads import Uploads, fair_limit, prepare_uploads
from bot.ui.handlers.component_registry import search_id_of
from bot.ui.handlers.interactions import guild_of
from bot.ui.render.history_page import empty_page, has_search_line, history_page

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
        """Show the next newer job in the pressed message."""
        await self._turn(interaction, job_id, Direction.NEWER)

    async def show_older(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Show the next older job in the pressed message."""
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
                uploads = await prepare_uploads(
                    self._images, page.pictures, limit >> halvings, member=interaction.user.id
                )
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
