"""Handler of *Before and after* in a card's menu."""

from collections.abc import Sequence
from typing import Any, Final

import discord

from bot.domain.errors import ImageError
from bot.domain.images import ResultImage
from bot.images.image_service import ImageService
from bot.services.comparisons import Comparison, ComparisonService
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify
from bot.ui.delivery.uploads import Uploads, fair_limit, prepare_uploads
from bot.ui.handlers.interactions import actor_of, is_age_restricted
from bot.ui.render.comparison import comparison_panel

_MOST_HALVINGS: Final = 3
# Discord's limit for a gallery and for a message's files.
_MOST_SHOWN: Final = 10


class ComparisonHandlers:
    """Shows an edit's pictures before and after, to one person alone."""

    def __init__(self, *, comparisons: ComparisonService, images: ImageService) -> None:
        self._comparisons = comparisons
        self._images = images

    async def show(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Answer privately with the pictures, or with why there are none.

        Raises the errors of `ComparisonService.get`.
        """
        comparison = await self._comparisons.get(
            job_id, actor_of(interaction), in_age_restricted=is_age_restricted(interaction)
        )
        await interaction.response.defer(ephemeral=True, thinking=True)
        pictures = (*comparison.before, *comparison.after)[:_MOST_SHOWN]
        limit = fair_limit(pictures, interaction.filesize_limit)
        for halvings in range(_MOST_HALVINGS + 1):
            before = await self._prepare(interaction, comparison.before, limit >> halvings)
            after = await self._prepare(interaction, comparison.after, limit >> halvings)
            try:
                await _edit(interaction, comparison, before, after)
            except discord.HTTPException as error:
                if classify(error) is not DiscordErrorKind.TOO_LARGE or halvings == _MOST_HALVINGS:
                    raise
            else:
                return

    async def _prepare(
        self, interaction: discord.Interaction[Any], pictures: Sequence[ResultImage], limit: int
    ) -> Uploads:
        """Return the readable images."""
        try:
            return await prepare_uploads(self._images, pictures, limit, member=interaction.user.id)
        except (OSError, ImageError):
            return Uploads()


async def _edit(interaction: discord.Interaction[Any], comparison: Comparison, before: Uploads, after: Uploads) -> None:
    uploads = Uploads((*before.ready, *after.ready)[:_MOST_SHOWN])
    count = len(before.ready)
    view = comparison_panel(comparison, uploads.attached[:count], uploads.attached[count:])
    await interaction.edit_original_response(
        view=view, attachments=uploads.files(), allowed_mentions=discord.AllowedMentions.none()
    )
