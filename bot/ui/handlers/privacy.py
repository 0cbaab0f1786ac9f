"""Handlers of `/privacy`."""

import asyncio
import contextlib
from typing import Any, Final

import discord

from bot.domain.errors import NotAllowedError
from bot.domain.lazy_text import LazyText
from bot.services.deletions import DeletionService
from bot.services.export_parts import ExportPart
from bot.services.exports import ExportService
from bot.ui.i18n import use_locale
from bot.ui.render.privacy import (
    direct_messages_closed,
    erase_question,
    erased_note,
    erasing_note,
    export_attached,
    export_begun,
)

_ANSWER_SECONDS: Final = 5.0
_QUIET: Final = discord.AllowedMentions.none()


class PrivacyHandlers:
    """Answers `/privacy` privately."""

    def __init__(self, *, exports: ExportService, deletions: DeletionService) -> None:
        self._exports = exports
        self._deletions = deletions

    async def export(self, interaction: discord.Interaction[Any]) -> None:
        """Begin an export.

        Raises the errors of `ExportService.request`.
        """
        locale, answered = interaction.locale.value, asyncio.Event()

        async def answer(part: ExportPart) -> bool:
            """Attach an only part to the answer, else name the next step."""
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await answered.wait()
            except TimeoutError:
                return False
            fits = part.is_last and part.path.stat().st_size <= interaction.filesize_limit
            try:
                with use_locale(locale):
                    if fits and part.number == 1:
                        file = discord.File(part.path, filename=part.filename)
                        await interaction.followup.send(
                            export_attached(), file=file, ephemeral=True, allowed_mentions=_QUIET
                        )
                        return True
                    await interaction.edit_original_response(view=direct_messages_closed())
            except discord.HTTPException:
                return False  # the interaction has ended meanwhile
            return False

        await self._exports.request(interaction.user.id, locale, answer)
        await interaction.response.send_message(view=export_begun(), ephemeral=True)
        answered.set()

    async def ask_erase(self, interaction: discord.Interaction[Any]) -> None:
        """Ask for a confirmation of the deletion.

        Raises the errors of `DeletionService.count`.
        """
        holdings = await self._deletions.count(interaction.user.id)
        await interaction.response.send_message(view=erase_question(holdings, interaction.user.id), ephemeral=True)

    async def erase(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Begin the confirmed deletion.

        Raises the errors of `DeletionService.request`.

        Raises:
            NotAllowedError: the question was another member's.
        """
        if target != f"{interaction.user.id:032x}":
            raise NotAllowedError(LazyText("its member"))
        locale = interaction.locale.value

        async def finished() -> None:
            with contextlib.suppress(discord.HTTPException), use_locale(locale):  # the interaction may have ended
                await interaction.edit_original_response(view=erased_note())

        await interaction.response.edit_message(view=erasing_note())
        await self._deletions.request(interaction.user.id, finished)
