"""The answers to the question that comes before spending much; where others have a job's id, these have a draft's."""

from typing import Any

import discord

from bot.ui.buttons.base import JobButton, answering, studio_of
from bot.ui.i18n import N_


class ConfirmButton(JobButton, action="confirm", label=N_("Make it"), style=discord.ButtonStyle.primary):
    """Makes what was asked about."""

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Turn the question into the job's card."""
        await studio_of(interaction).orders.confirm(interaction, self.job_id)


class DeclineButton(JobButton, action="decline", label=N_("Leave it")):
    """Leaves it."""

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Take the question away."""
        await studio_of(interaction).orders.decline(interaction, self.job_id)
