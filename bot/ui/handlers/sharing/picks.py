"""Handlers of `/studio picks`."""

from typing import Any, Final

import discord

from bot.domain.errors import NotOfferedError
from bot.services.sharing.picks import PickService
from bot.ui.handlers.component_registry import search_id_of
from bot.ui.handlers.interactions import actor_of
from bot.ui.render.sharing.picks import picks_about, picks_preview

_QUIET: Final = discord.AllowedMentions.none()


class PickHandlers:
    """Answers moderators about a week's picks, privately."""

    def __init__(self, *, picks: PickService) -> None:
        self._picks = picks

    async def preview(self, interaction: discord.Interaction[Any]) -> None:
        """Show the week's picks; raises as `PickService.preview` does."""
        picks = await self._picks.preview(actor_of(interaction, everywhere=True))
        await interaction.response.send_message(view=picks_preview(picks), ephemeral=True, allowed_mentions=_QUIET)

    async def post(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Post the previewed picks; raises as `PickService.post` does."""
        actor = actor_of(interaction, everywhere=True)
        week = search_id_of(interaction)
        if week is None or not week.isdecimal() or target != f"{actor.guild_id:032d}":
            raise NotOfferedError
        await self._picks.post(actor, int(week))
        picks = await self._picks.preview(actor)
        await interaction.response.edit_message(view=picks_preview(picks), allowed_mentions=_QUIET)

    async def explain(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Say how picks are made."""
        del target
        await interaction.response.send_message(picks_about(), ephemeral=True)
