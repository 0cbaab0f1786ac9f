"""Buttons of requested and running jobs."""

import io
from typing import Any, Final

import discord
from discord.ext import commands

from bot.client import AtelierClient
from bot.services.jobs import JobService
from bot.ui.buttons import AFFORD, CANCEL, CONFIRM, DECLINE, INSTEAD, PROMPT
from bot.ui.handlers.interactions import actor_of
from bot.ui.handlers.job_requests import JobRequests
from bot.ui.render.details import PROMPT_FILE, prompt_panel

_QUIET: Final = discord.AllowedMentions.none()


class Jobs(commands.Cog):
    """Confirming, cancelling and reading a job's request."""

    def __init__(self, *, client: AtelierClient, jobs: JobService, requests: JobRequests) -> None:
        self._client = client
        self._jobs = jobs
        self._requests = requests

    async def cog_load(self) -> None:
        """Register the buttons."""
        components = self._client.components
        components.register(CONFIRM.action, self._requests.confirm)
        components.register(AFFORD.action, self._requests.confirm_smaller)
        components.register(INSTEAD.action, self._requests.confirm_other_model)
        components.register(DECLINE.action, self._requests.decline)
        components.register(CANCEL.action, self._cancel, of_job=True)
        components.register(PROMPT.action, self._send_prompt, of_job=True)

    async def _cancel(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Request a cancel. The card shows the outcome."""
        await self._jobs.cancel(job_id, actor_of(interaction))
        await interaction.response.defer()

    async def _send_prompt(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Answer with the whole prompt: to copy, or as a text file."""
        prompt = await self._jobs.get_prompt(job_id, actor_of(interaction))
        view = prompt_panel(prompt)
        if view is not None:
            await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)
            return
        file = discord.File(io.BytesIO(prompt.encode()), filename=PROMPT_FILE)
        await interaction.response.send_message(file=file, ephemeral=True)
