"""Handler of the message menu "Was this made here?"."""

from collections.abc import Callable
from typing import Any, Final

import discord

from bot.domain.jobs import Job
from bot.services.jobs import JobService
from bot.services.origins import MOST_PICTURES, OriginService
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.handlers.interactions import actor_of
from bot.ui.handlers.message_images import gather
from bot.ui.render.origins import Answer, origin_panel

_QUIET: Final = discord.AllowedMentions.none()


class OriginHandlers:
    """Finds the jobs that made a message's pictures, for one person's eyes."""

    def __init__(self, *, origins: OriginService, jobs: JobService, messages: JobMessages) -> None:
        self._origins = origins
        self._jobs = jobs
        self._messages = messages

    async def ask(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Answer privately for each picture.

        Raises the errors of `OriginService.check`.

        Raises:
            InputError: the message has no usable picture.
        """
        pictures = self._jobs.filter_attachments(gather(message))
        actor = actor_of(interaction)
        await self._origins.check(actor)
        await interaction.response.defer(ephemeral=True, thinking=True)
        can_see, answers = _sight_of(interaction), []
        for picture in pictures[:MOST_PICTURES]:
            finding = await self._origins.find(picture.url, actor, can_see)
            answers.append(Answer(finding=finding, link=None if finding.job is None else self._link(finding.job)))
        view = origin_panel(answers, unshown=len(pictures[MOST_PICTURES:]))
        await interaction.edit_original_response(view=view, allowed_mentions=_QUIET)

    def _link(self, job: Job) -> str | None:
        """Return the card's address; None for a private one, which vanishes."""
        if job.place.private:
            return None if job.public_message_id is None else self._messages.link(job, job.public_message_id)
        return self._messages.link(job)


def _sight_of(interaction: discord.Interaction[Any]) -> Callable[[Job], bool]:
    """Return a check of the member's sight of a job's channel.

    A channel that is not known here, such as an archived thread, counts as hidden; so does a private thread.
    """
    guild, member = interaction.guild, interaction.user

    def can_see(job: Job) -> bool:
        if job.place.channel_id == interaction.channel_id:
            return True
        if guild is None or not isinstance(member, discord.Member):
            return False
        channel = guild.get_channel_or_thread(job.place.channel_id)
        if channel is None or (isinstance(channel, discord.Thread) and channel.is_private()):
            return False
        try:
            return channel.permissions_for(member).view_channel
        except discord.ClientException:  # a thread without its channel
            return False

    return can_see
