"""The button below a form that was refused; where others have a job's id, this has the form's."""

from typing import Any

import discord

from bot.ui.buttons.base import JobButton, answering, studio_of
from bot.ui.i18n import N_


class RetryButton(JobButton, action="retry", label=N_("Try again"), style=discord.ButtonStyle.primary):
    """Opens the form again, filled in as it was."""

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Open it."""
        await studio_of(interaction).retries.reopen(interaction, self.job_id)
