"""Handlers of `/jobs` and its buttons."""

import re
from typing import Any, Final

import discord
from discord import app_commands

from bot.domain.errors import AtelierError, JobNotFoundError, NotAllowedError
from bot.domain.lazy_text import LazyText
from bot.services.jobs import Actor
from bot.services.live_jobs import LiveJobService
from bot.ui.handlers.component_registry import picture_of, search_id_of
from bot.ui.handlers.interactions import actor_of
from bot.ui.i18n import _
from bot.ui.render.live_jobs import EVERYONES, cancelled_note, cancelling_panel, job_choice, live_jobs_panel
from bot.ui.truncation import cut

_QUIET: Final = discord.AllowedMentions.none()
_MOST_CHOICES: Final = 25
_LONGEST_CHOICE: Final = 100
_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")


class LiveJobHandlers:
    """Answers `/jobs`, to one person alone."""

    def __init__(self, *, jobs: LiveJobService) -> None:
        self._jobs = jobs

    async def show(
        self, interaction: discord.Interaction[Any], member: discord.Member | discord.User | None, *, everyone: bool
    ) -> None:
        """List one's own jobs; a moderator also lists those of others."""
        actor = _actor_of(interaction)
        member_id = None if everyone else interaction.user.id if member is None else member.id
        view = live_jobs_panel(await self._jobs.show(actor, member_id), member_id=actor.member_id)
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def cancel(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Cancel the chosen job.

        Raises:
            JobNotFoundError: the text is no job.
        """
        if _JOB_ID.fullmatch(job_id) is None:
            raise JobNotFoundError(job_id)
        await self._jobs.cancel(job_id, _actor_of(interaction))
        await interaction.response.send_message(view=cancelling_panel(), ephemeral=True, allowed_mentions=_QUIET)

    async def cancel_listed(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Cancel a job of the pressed list, and show the list as it is now."""
        actor = _actor_of(interaction)
        await self._jobs.cancel(job_id, actor)
        await self._refresh(interaction, actor, _("Cancelling. The job's card shows the outcome."))

    async def cancel_all(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Cancel all of one's own jobs here, and show the list as it is now.

        Raises:
            NotAllowedError: the list is another member's.
        """
        actor = _actor_of(interaction)
        if int(target, 16) != actor.member_id:
            raise NotAllowedError(LazyText("the member of this list"))
        await interaction.response.defer()
        cancelled = await self._jobs.cancel_all(actor)
        await self._refresh(interaction, actor, cancelled_note(cancelled))

    async def choices(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return the cancellable jobs with a matching prompt, one's own first."""
        actor = _actor_of(interaction)
        try:
            jobs = await self._jobs.cancellable(actor)
        except AtelierError:
            return []
        wanted = typed.strip().casefold()
        offered = [(job, job_choice(job, own=job.place.member_id == actor.member_id)) for job in jobs]
        matching = [(job, name) for job, name in offered if wanted in name.casefold()]
        return [
            app_commands.Choice(name=cut(name, _LONGEST_CHOICE), value=job.id) for job, name in matching[:_MOST_CHOICES]
        ]

    async def _refresh(self, interaction: discord.Interaction[Any], actor: Actor, note: str) -> None:
        """Show the pressed list as it is now.

        Who is no moderator any more sees their own jobs instead.
        """
        member_id = _listed_member(interaction) if actor.moderator else actor.member_id
        view = live_jobs_panel(await self._jobs.show(actor, member_id), member_id=actor.member_id, note=note)
        if interaction.response.is_done():
            await interaction.edit_original_response(view=view, allowed_mentions=_QUIET)
        else:
            await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)


def _listed_member(interaction: discord.Interaction[Any]) -> int | None:
    """Return the member of the pressed list; None is everyone."""
    if picture_of(interaction) == EVERYONES:
        return None
    search_id = search_id_of(interaction)
    return interaction.user.id if search_id is None else int(search_id, 16)


def _actor_of(interaction: discord.Interaction[Any]) -> Actor:
    """Return the member with their rights in the whole server.

    The lists go beyond the channel, so a moderator of this one alone is none here.
    """
    return actor_of(interaction, everywhere=True)
