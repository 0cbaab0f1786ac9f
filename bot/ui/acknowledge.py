"""Answering a command with the job's card, and letting the job go once the card is surely there."""

from typing import Any, Final

import aiohttp
import discord
import structlog

from bot.domain.jobs import Snapshot
from bot.services.generation import GenerationService
from bot.ui.presenter import Presenter

_log = structlog.get_logger(__name__)

_ALREADY_ACKNOWLEDGED: Final = 40060


class Acknowledger:
    """Sends first cards."""

    def __init__(self, *, generation: GenerationService, presenter: Presenter) -> None:
        self._generation = generation
        self._presenter = presenter

    async def acknowledge(self, interaction: discord.Interaction[Any], snapshot: Snapshot) -> None:
        """Answer with the card; if it surely did not appear, cancel the job and give the credits back."""
        job = snapshot.job
        message_id: int | None = None
        try:
            answer = await interaction.response.send_message(
                view=self._presenter.first_card(snapshot), allowed_mentions=discord.AllowedMentions.none()
            )
            message_id = answer.message_id
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            # A repeated callback may have found its first try done; a broken connection may have carried it.
            found = await self._presenter.find_card(job)
            already = isinstance(error, discord.HTTPException) and error.code == _ALREADY_ACKNOWLEDGED
            if found is None and not already:
                return  # Discord cannot be asked now: the engine looks for the card itself in a while
            if found is not None:
                message_id = found.message_id
            if found is not None and not found.there:
                _log.warning("card.not_acknowledged", job=job.id, error=type(error).__name__)
                self._presenter.forget(job.id)
                await self._generation.abandon(job)
                return
        await self._generation.acknowledged(job.id, message_id)
