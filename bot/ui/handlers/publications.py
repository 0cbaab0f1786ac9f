"""Handlers of *Make public* on private cards."""

import asyncio
from typing import Any, Final
from weakref import WeakValueDictionary

import discord

from bot.domain.age_restriction import may_show
from bot.domain.errors import AgeRestrictedError, CannotPostError, ChannelGoneError, JobDeletedError
from bot.domain.jobs import Job
from bot.services.publications import PublicationService
from bot.ui.delivery.job_messages import ChannelRights, JobMessages
from bot.ui.delivery.result_delivery import ResultDelivery
from bot.ui.handlers.interactions import actor_of, is_age_restricted, parent_channel_of
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
            ChannelUnusedError: the server's studio works in other channels.
        """
        job = await self._publications.get(job_id, actor_of(interaction))
        if _is_here(interaction, job):
            await self._check_place(interaction, job)
            await interaction.response.send_message(view=publish_question(job), ephemeral=True, allowed_mentions=_QUIET)
            return
        # Discord gives three seconds to answer, and is asked for the rights in the other channel first.
        await interaction.response.defer()
        await self._check_place(interaction, job)
        await interaction.followup.send(view=publish_question(job), ephemeral=True, allowed_mentions=_QUIET)

    async def publish(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Post the card, or link to the one posted before.

        Raises as `ask` does, and Discord's errors worth another press.
        """
        job = await self._publications.get(job_id, actor_of(interaction))
        await interaction.response.defer()
        parent_id = await self._check_place(interaction, job)
        # Discord merges a repeated message of some minutes; a double press is answered with the first one's link.
        async with self._locks.setdefault(job_id, asyncio.Lock()):
            message_id, job = await self._post(interaction, job_id, parent_id)
        await interaction.edit_original_response(
            view=published_note(self._messages.link(job, message_id)), allowed_mentions=_QUIET
        )

    async def _post(self, interaction: discord.Interaction[Any], job_id: str, parent_id: int | None) -> tuple[int, Job]:
        locale = (interaction.guild_locale or interaction.locale).value
        publication = await self._publications.begin(
            job_id, actor_of(interaction), parent_channel_id=parent_id, locale=locale
        )
        job = publication.snapshot.job
        if job.public_message_id is not None:
            return job.public_message_id, job
        message_id = await self._delivery.post_public(publication.snapshot, is_first=publication.is_first)
        if message_id is None:
            await self._publications.withdraw(job_id)
            raise CannotPostError(by_member=False)
        if not await self._publications.finish(publication, message_id):
            await self._messages.remove_public(job)
            raise JobDeletedError
        return message_id, job

    async def _check_place(self, interaction: discord.Interaction[Any], job: Job) -> int | None:
        """Check a job's channel, and return the channel of its thread.

        The studio must work there, and the member and the bot may post pictures there. In another channel or a direct
        message, Discord's word on this one does not count.
        """
        here = _is_here(interaction, job)
        if here:
            rights = ChannelRights(
                member=interaction.permissions,
                bot=interaction.app_permissions,
                parent_id=parent_channel_of(interaction),
            )
        else:
            found = await self._messages.find_rights(job)
            if found is None:
                raise ChannelGoneError
            rights = found
        await self._publications.check_channel(job, rights.parent_id)
        if job.age_restricted:
            flagged = is_age_restricted(interaction) if here else await self._messages.is_age_restricted(job)
            if not may_show(is_age_restricted=True, in_age_restricted=flagged):
                raise AgeRestrictedError
        _check_rights(rights, job, here=here)
        return rights.parent_id


def _is_here(interaction: discord.Interaction[Any], job: Job) -> bool:
    return interaction.channel_id == job.place.channel_id


def _check_rights(rights: ChannelRights, job: Job, *, here: bool) -> None:
    for allowed, by_member in ((rights.member, True), (rights.bot, False)):
        may_send = allowed.send_messages if rights.parent_id is None else allowed.send_messages_in_threads
        if not (allowed.view_channel and may_send and allowed.attach_files):
            raise CannotPostError(by_member=by_member, channel_id=None if here else job.place.channel_id)
