"""`/jobs`: the live jobs."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import CANCEL_ALL, CANCEL_LISTED
from bot.ui.handlers.live_jobs import LiveJobHandlers


class LiveJobs(commands.GroupCog, name="jobs", description=locale_str("See and cancel what is in progress")):
    """A member's jobs in progress; for moderators, those of others too."""

    def __init__(self, *, client: AtelierClient, handlers: LiveJobHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons of the list."""
        self._client.components.register(CANCEL_LISTED.action, self._handlers.cancel_listed, of_job=True)
        self._client.components.register(CANCEL_ALL.action, self._handlers.cancel_all)

    @app_commands.command(name="list", description=locale_str("See your jobs that are not finished"))
    @app_commands.describe(
        member=locale_str("See this member's; for moderators"), everyone=locale_str("See everybody's; for moderators")
    )
    async def show(
        self,
        interaction: discord.Interaction[Any],
        *,
        member: discord.Member | discord.User | None = None,
        everyone: bool = False,
    ) -> None:
        """Answer with the list."""
        await self._handlers.show(interaction, member, everyone=everyone)

    @app_commands.command(name="cancel", description=locale_str("Cancel a job and get its credits back"))
    @app_commands.describe(job=locale_str("Choose the job; moderators may choose others'"))
    async def cancel(self, interaction: discord.Interaction[Any], *, job: app_commands.Range[str, 1, 100]) -> None:
        """Cancel the job."""
        await self._handlers.cancel(interaction, job)

    @cancel.autocomplete("job")
    async def _jobs(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._handlers.choices(interaction, typed)
