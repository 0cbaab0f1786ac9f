"""Handlers of `/duel` and its buttons."""

from collections.abc import Sequence
from typing import Any, Final

import discord
import structlog

from bot.domain.duels import LETTERS
from bot.domain.errors import DuelHiddenError
from bot.domain.jobs import InteractionContext
from bot.engine.observer import CardLookup
from bot.services.duels import DuelService, DuelView
from bot.services.jobs import JobService
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.discord_errors import RETRYABLE, classify
from bot.ui.delivery.duel_updater import DuelUpdater
from bot.ui.handlers.component_registry import picture_of, shown_price
from bot.ui.handlers.interactions import actor_of, context_of, guild_of
from bot.ui.handlers.seen_interactions import is_acknowledged
from bot.ui.i18n import use_locale
from bot.ui.render.duel_cards import (
    begun_note,
    duel_card,
    duel_question,
    end_question,
    ended_note,
    hidden_note,
    ranking_panel,
    voted_note,
)

_log = structlog.get_logger(__name__)

_QUIET: Final = discord.AllowedMentions.none()


class DuelHandlers:
    """Answers `/duel`, and the presses on its messages."""

    def __init__(
        self, *, duels: DuelService, jobs: JobService, card_updater: CardUpdater, duel_updater: DuelUpdater
    ) -> None:
        self._duels = duels
        self._jobs = jobs
        self._card_updater = card_updater
        self._duel_updater = duel_updater

    async def start(
        self,
        interaction: discord.Interaction[Any],
        *,
        prompt: str,
        models: Sequence[str],
        aspect_ratio: str | None,
        hours: int,
    ) -> None:
        """Ask for the confirmation of a duel, always, with the price of all.

        Raises the errors of `DuelService.ask`.

        Raises:
            DuelHiddenError: the bot does not see the channel.
        """
        context = _public_context(interaction)
        confirmation = await self._duels.ask(
            context, prompt=prompt, models=models, aspect_ratio=aspect_ratio, hours=hours
        )
        view = duel_question(confirmation, self._duels.prices(confirmation.requests))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def generate(self, interaction: discord.Interaction[Any], confirmation_id: str) -> None:
        """Turn a question into the duel's message.

        If the price has risen, ask again instead. Raises the errors of `DuelService.create`.

        Raises:
            DuelHiddenError: nobody but the organizer would see the duel.
        """
        confirmation, dearer = await self._duels.get_question(
            confirmation_id, interaction.user.id, shown=shown_price(interaction)
        )
        if dearer:
            view = duel_question(confirmation, self._duels.prices(confirmation.requests), dearer_than_asked=True)
            await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)
            return
        context = _public_context(interaction)
        with self._jobs.pause_dispatch():
            duel = await self._duels.create(context, confirmation)
            structlog.contextvars.bind_contextvars(duel=duel.duel.id)
            _log.info("duel.made", guild=context.guild_id, models=len(duel.jobs), price=confirmation.price)
            await self._acknowledge(interaction, duel)
        await _close_question(interaction)

    async def _acknowledge(self, interaction: discord.Interaction[Any], duel: DuelView) -> None:
        """Answer with the duel's message.

        If it surely did not appear, cancel the duel and return its credits.

        Raises:
            DuelHiddenError: Discord shows it to the organizer alone.
        """
        found, error = await self._send(interaction, duel)
        if found is None:
            return  # Discord cannot be asked now: the engine looks for the message later
        if found.is_foreign:
            await self._duels.withdraw(duel, found.other_job_id)
        elif found.is_private:
            await self._duels.abandon(duel)
            await interaction.edit_original_response(view=hidden_note(), allowed_mentions=_QUIET)
        elif found.exists:
            await self._duels.mark_acknowledged(duel, found.message_id)
        else:
            await self._duels.abandon(duel)
            if error is not None and classify(error) not in RETRYABLE:
                raise error

    async def _send(
        self, interaction: discord.Interaction[Any], duel: DuelView
    ) -> tuple[CardLookup | None, Exception | None]:
        """Send the message and return its lookup and Discord's error.

        The lookup is None if Discord is unreachable.
        """
        with use_locale(duel.card_job.place.locale):
            card = duel_card(duel)
        try:
            answer = await interaction.response.send_message(view=card, allowed_mentions=_QUIET)
        except Exception as error:
            if classify(error) is None:
                raise
            found = await self._card_updater.find_card(duel.card_job)
            if found is None or found.exists or found.is_foreign:
                return found, error
            return (None if is_acknowledged(error) else found), error
        return CardLookup(exists=True, message_id=answer.message_id, is_private=answer.is_ephemeral()), None

    async def cancel(self, interaction: discord.Interaction[Any], duel_id: str) -> None:
        """Cancel the jobs of a duel. Its message shows the outcome."""
        await self._duels.cancel(duel_id, actor_of(interaction))
        await interaction.response.defer()

    async def vote(self, interaction: discord.Interaction[Any], duel_id: str) -> None:
        """Take a vote, and answer privately."""
        position = picture_of(interaction)
        duel, changed = await self._duels.vote(duel_id, position, actor_of(interaction))
        view = voted_note(duel, LETTERS[position], changed=changed)
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def ask_end(self, interaction: discord.Interaction[Any], duel_id: str) -> None:
        """Ask before the early end of a vote."""
        view, votes = await self._duels.get_endable(duel_id, actor_of(interaction))
        await interaction.response.send_message(
            view=end_question(view.duel, votes), ephemeral=True, allowed_mentions=_QUIET
        )

    async def end(self, interaction: discord.Interaction[Any], duel_id: str) -> None:
        """End a vote. Its message shows the outcome."""
        await self._duels.end(duel_id, actor_of(interaction))
        self._duel_updater.on_duel_changed(duel_id)
        await interaction.response.edit_message(view=ended_note(), allowed_mentions=_QUIET)

    async def ranking(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the ranking of the server's models."""
        standings, duels = await self._duels.standings(guild_of(interaction))
        view = ranking_panel(standings, duels)
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)


def _public_context(interaction: discord.Interaction[Any]) -> InteractionContext:
    """Return the place of a duel.

    Raises:
        DuelHiddenError: others would not see it there, or the bot could not edit it after 15 minutes.
    """
    context = context_of(interaction)
    if context.private or (context.guild_id and not interaction.app_permissions.view_channel):
        raise DuelHiddenError
    return context


async def _close_question(interaction: discord.Interaction[Any]) -> None:
    """Take the buttons off the answered question, if Discord lets us."""
    if interaction.message is None:
        return
    try:
        async with bounded(REQUEST_SECONDS):
            await interaction.followup.edit_message(interaction.message.id, view=begun_note(), allowed_mentions=_QUIET)
    except Exception as error:
        if classify(error) is None:
            raise
        _log.info("question.not_closed", error=type(error).__name__)
