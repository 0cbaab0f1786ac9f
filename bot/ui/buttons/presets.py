"""The button that undoes the deletion of a preset; where others have a job's id, this has the preset's mark."""

from typing import Any

import discord

from bot.ui.buttons.base import JobButton, answering, studio_of
from bot.ui.i18n import N_


class RestoreButton(JobButton, action="restore", label=N_("Undo")):
    """Puts a deleted preset back."""

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Restore it, and say so in place."""
        await studio_of(interaction).shelves.restore(interaction, self.job_id)
