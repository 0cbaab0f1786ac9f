"""The buttons of a job under way: cancel it, read the whole of its prompt."""

import io
from typing import Any

import discord

from bot.ui.buttons.base import JobButton, answering, studio_of
from bot.ui.handlers.interactions import actor_of
from bot.ui.i18n import N_


class CancelButton(JobButton, action="cancel", label=N_("Cancel")):
    """Cancels a waiting job, for its member and for moderators."""

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Ask for the cancel; the card tells what came of it."""
        await studio_of(interaction).generation.cancel(self.job_id, actor_of(interaction))
        await interaction.response.defer()


class PromptButton(JobButton, action="prompt", label=N_("Whole prompt")):
    """Shows the whole of a long prompt, as a file, to whoever can see the card."""

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the prompt as a text file."""
        prompt = await studio_of(interaction).generation.get_prompt(self.job_id, actor_of(interaction))
        file = discord.File(io.BytesIO(prompt.encode()), filename="prompt.txt")
        await interaction.response.send_message(file=file, ephemeral=True)
