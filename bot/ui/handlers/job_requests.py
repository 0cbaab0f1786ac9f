"""Asking for pictures: the one way that commands, menus, forms and buttons share. It asks first where it costs much."""

from dataclasses import replace
from typing import Any

import discord

from bot.domain.confirmations import CONFIRMATION_LIFETIME, Confirmation
from bot.domain.errors import ConfirmationGoneError
from bot.domain.jobs import InteractionContext, Origin
from bot.domain.requests import GenerationRequest
from bot.services.confirmations import ConfirmationService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.request_resolver import RequestResolver, ResolvedRequest
from bot.ui.handlers.acknowledge import Acknowledger
from bot.ui.handlers.interactions import context_of
from bot.ui.i18n import use_locale
from bot.ui.render.confirmation import question_card


class Orders:
    """Answers an interaction with a job's card, or with the question that comes before it."""

    def __init__(
        self,
        *,
        generation: JobService,
        drafts: ConfirmationService,
        snapshots: JobSnapshotService,
        acknowledger: Acknowledger,
    ) -> None:
        self._generation = generation
        self._drafts = drafts
        self._snapshots = snapshots
        self._acknowledger = acknowledger

    async def order(
        self, interaction: discord.Interaction[Any], choose: RequestResolver, *, origin: Origin | None = None
    ) -> None:
        """Make the job and answer with its card, in a message of its own; ask first where it costs much.

        Raises what `choose` and `JobService.request` raise; then nothing is held.
        """
        places = {private: context_of(interaction, private=private) for private in (False, True)}
        with self._generation.pause_dispatch():
            made = await self._generation.resolve_and_create(places, choose, origin=origin)
            if isinstance(made, ResolvedRequest):
                await self._ask(interaction, places[made.private], made.request, origin)
            else:
                await self._acknowledger.acknowledge(interaction, made)

    async def _ask(
        self,
        interaction: discord.Interaction[Any],
        place: InteractionContext,
        request: GenerationRequest,
        origin: Origin | None,
    ) -> None:
        draft = await self._drafts.add(place, request, origin)
        await interaction.response.send_message(
            view=await self._question(draft, place.locale),
            ephemeral=place.private,
            allowed_mentions=discord.AllowedMentions.none(),
        )

    async def confirm(self, interaction: discord.Interaction[Any], draft_id: str) -> None:
        """Make what was asked about: the question becomes the job's card. At a higher price it is asked again.

        Raises `ConfirmationGoneError`, `NotAllowedError`, or what `JobService.request` raises.
        """
        _require_young(interaction)
        draft, dearer = await self._drafts.get(draft_id, interaction.user.id)
        place = context_of(interaction, private=draft.private)
        if dearer:
            view = await self._question(draft, place.locale, dearer_than_asked=True)
            await interaction.response.edit_message(view=view, allowed_mentions=discord.AllowedMentions.none())
            return
        if interaction.message is not None:
            # Known before the answer is taken: should that fail, the question's message can still say what came of it.
            place = replace(place, message_id=interaction.message.id)
        snapshot = await self._generation.create(place, draft.request, origin=draft.origin, confirmation_id=draft.id)
        await self._acknowledger.acknowledge(interaction, snapshot, in_place=True)

    async def decline(self, interaction: discord.Interaction[Any], draft_id: str) -> None:
        """Leave it: the question goes. Raises `ConfirmationGoneError` or `NotAllowedError`."""
        _require_young(interaction)
        await self._drafts.delete(draft_id, interaction.user.id)
        await interaction.response.defer()
        await interaction.delete_original_response()

    async def _question(
        self, draft: Confirmation, locale: str, *, dearer_than_asked: bool = False
    ) -> discord.ui.LayoutView:
        usual = await self._snapshots.usual_seconds(draft.request.model)
        with use_locale(locale):
            return question_card(draft, usual, dearer_than_asked=dearer_than_asked)


def _require_young(interaction: discord.Interaction[Any]) -> None:
    """Raise where the question is older than its draft can be, by Discord's own clock."""
    asked = interaction.message
    if asked is not None and interaction.created_at - asked.created_at > CONFIRMATION_LIFETIME:
        raise ConfirmationGoneError(expired=True)
