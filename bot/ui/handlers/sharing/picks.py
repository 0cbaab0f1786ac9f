"""Handlers of `/studio picks`."""

from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import NotOfferedError
from bot.services.sharing.picks import PickService, WeekPicks
from bot.ui.delivery.sharing.reaction_votes import ReactionVotes
from bot.ui.handlers.component_registry import search_id_of
from bot.ui.handlers.interactions import actor_of, settings_of
from bot.ui.render.sharing.picks import picks_about, picks_preview

_QUIET: Final = discord.AllowedMentions.none()


class PickHandlers:
    """Answers moderators about a week's picks, privately."""

    def __init__(self, *, picks: PickService, reactions: ReactionVotes) -> None:
        self._picks = picks
        self._reactions = reactions

    async def preview(self, interaction: discord.Interaction[Any]) -> None:
        """Show the week's picks; raises as `PickService.preview` does.

        Reactions are read first, which may take longer than Discord waits for an answer.
        """
        actor = actor_of(interaction, everywhere=True)
        picks = await self._picks.preview(actor)
        posts = await self._reactions.list_posts(actor.guild_id)
        if not posts:
            await interaction.response.send_message(
                view=_preview(interaction, picks), ephemeral=True, allowed_mentions=_QUIET
            )
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._reactions.read(actor.guild_id, posts)
        view = _preview(interaction, await self._picks.preview(actor))
        await interaction.edit_original_response(view=view, allowed_mentions=_QUIET)

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


def _preview(interaction: discord.Interaction[Any], picks: WeekPicks) -> ui.LayoutView:
    """Return the preview, with the bot's right to pin."""
    guild, channel_id = interaction.guild, settings_of(interaction).showcase_channel_id
    channel = None if guild is None or channel_id is None else guild.get_channel(channel_id)
    if guild is None or not isinstance(channel, discord.TextChannel):
        return picks_preview(picks)
    return picks_preview(picks, can_pin=channel.permissions_for(guild.me).pin_messages)
