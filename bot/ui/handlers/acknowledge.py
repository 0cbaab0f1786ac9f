"""Answering a command with the job's card, and letting the job go once the card is surely there."""

from typing import Any, Final

import discord
import structlog

from bot.domain.jobs import Job, Snapshot
from bot.engine.observer import CardLookup
from bot.services.jobs import JobService
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.discord_errors import classify

_log = structlog.get_logger(__name__)

_ALREADY_ACKNOWLEDGED: Final = 40060


class Acknowledger:
    """Sends first cards."""

    def __init__(self, *, generation: JobService, presenter: CardUpdater) -> None:
        self._generation = generation
        self._presenter = presenter

    async def acknowledge(
        self, interaction: discord.Interaction[Any], snapshot: Snapshot, *, in_place: bool = False
    ) -> None:
        """Answer with the card; if it surely did not appear, cancel the job and give the credits back.

        `in_place` turns the message whose button was pressed into the card. A private job's card is its member's alone.
        """
        job = snapshot.job
        found = await self._answer(interaction, snapshot, in_place=in_place)
        if found is None:
            return  # Discord cannot be asked now: the engine looks for the card itself in a while
        if found.there:
            await self._generation.mark_acknowledged(job.id, found.message_id)
        else:
            self._presenter.forget(job.id)
            await self._generation.abandon(job)
            self._presenter.on_job_changed(job.id)

    async def _answer(
        self, interaction: discord.Interaction[Any], snapshot: Snapshot, *, in_place: bool
    ) -> CardLookup | None:
        """Send the card and return what is known of it; None where Discord cannot be asked now."""
        card, quiet = self._presenter.first_card(snapshot), discord.AllowedMentions.none()
        try:
            if in_place:
                await interaction.response.edit_message(view=card, allowed_mentions=quiet)
                # What was pressed is known, whatever the answer says of it.
                return CardLookup(there=True, message_id=interaction.message.id if interaction.message else None)
            answer = await interaction.response.send_message(
                view=card, ephemeral=snapshot.job.place.private, allowed_mentions=quiet
            )
        except Exception as error:
            if classify(error) is None:
                raise
            return await self._doubted(snapshot.job, error)
        return CardLookup(there=True, message_id=answer.message_id)

    async def _doubted(self, job: Job, error: Exception) -> CardLookup | None:
        """A repeated callback may have found its first try done; a broken connection may have carried it."""
        found = await self._presenter.find_card(job)
        if isinstance(error, discord.HTTPException) and error.code == _ALREADY_ACKNOWLEDGED:
            return found if found is not None and found.there else CardLookup(there=True)
        if found is not None and not found.there:
            _log.warning("card.not_acknowledged", job=job.id, error=type(error).__name__)
        return found
