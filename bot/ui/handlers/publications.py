"""Handlers of *Make public* on private cards."""

import asyncio
from typing import Any, Final
from weakref import WeakValueDictionary

import discord

from bot.domain.errors import CannotPostError, ChannelGoneError, JobDeletedError
from bot.domain.jobs import Job
from bot.services.publications import PublicationService
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.delivery.result_delivery import ResultDelivery
from bot.ui.handlers.interactions import actor_of
from bot.ui.render.confirmation import publish_question, published_note

_QUIET: Final = discord.AllowedMentions.none()


class PublicationHandlers:
    """Asks once, then posts a private job's card in its channel."""

    def __init__(self, *, publications: PublicationService, delivery: ResultDelivery, messages: JobMessages) -> None:
        self._publications = publications
        self._delivery = delivery
        self._messages = messages
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def ask(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Ask before a private job is shown to all.

        Raises the errors of `PublicationService.get`.

        Raises:
            CannotPostError: the member or the bot may not post in the channel.
            ChannelGoneError: the channel is out of reach.
        """
        job = await self._publications.get(job_id, actor_of(interaction))
        if _is_here(interaction, job):
            await self._check_may_post(interaction, job)
            await interaction.response.send_message(view=publish_question(job), ephemeral=True, allowed_mentions=_QUIET)
            return
        # Discord gives three seconds to answer, and is asked for the rights in the other channel first.
        await interaction.response.defer()
        await self._check_may_post(interaction, job)
        await interaction.followup.send(view=publish_question(job), ephemeral=True, allowed_mentions=_QUIET)

    async def publish(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Post the card, or link to the one posted before.

        Raises as `ask` does, and Discord's errors worth another press.
        """
        job = await self._publications.get(job_id, actor_of(interaction))
        await interaction.response.defer()
        await self._check_may_post(interaction, job)
        # Discord merges a repeated message of some minutes; a double press is answered with the first one's link.
        async with self._locks.setdefault(job_id, asyncio.Lock()):
            message_id, job = await self._post(interaction, job_id)
        await interaction.edit_original_response(
            view=published_note(self._messages.link(job, message_id)), allowed_mentions=_QUIET
        )

    async def _post(self, interaction: discord.Interaction[Any], job_id: str) -> tuple[int, Job]:
        locale = (interaction.guild_locale or interaction.locale).value
        publication = await self._publications.begin(job_id, actor_of(interaction), locale=locale)
        job = publication.snapshot.job
        if job.public_message_id is not None:
            return job.public_message_id, job
        message_id = await self._delivery.post_public(publication.snapshot, is_first=publication.is_first)
        if message_id is None:
            await self._publications.withdraw(job_id)
            raise CannotPostError(by_member=False)
        if not await self._publications.finish(job_id, message_id):
            await self._messages.remove_public(job)
            raise JobDeletedError
        return message_id, job

    async def _check_may_post(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Check that the member and the bot may post pictures in a job's channel.

        In another channel or a direct message, Discord's word on this one does not count.
        """
        here = _is_here(interaction, job)
        if here:
            in_thread = isinstance(interaction.channel, discord.Thread)
            member, bot = interaction.permissions, interaction.app_permissions
        else:
            rights = await self._messages.find_rights(job)
            if rights is None:
                raise ChannelGoneError
            member, bot, in_thread = rights
        _check_rights(member, bot, job, in_thread=in_thread, here=here)


def _is_here(interaction: discord.Interaction[Any], job: Job) -> bool:
    return interaction.channel_id == job.place.channel_id


def _check_rights(
    member: discord.Permissions, bot: discord.Permissions, job: Job, *, in_thread: bool, here: bool
) -> None:
    for rights, by_member in ((member, True), (bot, False)):
        may_send = rights.send_messages_in_threads if in_thread else rights.send_messages
        if not (rights.view_channel and may_send and rights.attach_files):
            raise CannotPostError(by_member=by_member, channel_id=None if here else job.place.channel_id)
