"""Answers to `/studio pause`, `/studio resume` and the owner's buttons."""

from typing import Any

import discord

from bot.domain.pauses import PauseScope
from bot.services.pauses import PauseService
from bot.ui.handlers.interactions import require_admin, require_owner
from bot.ui.render.pause_panels import all_paused_panel, all_resumed_panel, ask_pause_panel, guild_paused, guild_resumed


class PauseHandlers:
    """Pauses begun and ended in Discord."""

    def __init__(self, *, pauses: PauseService) -> None:
        self._pauses = pauses

    async def pause_guild(self, interaction: discord.Interaction[Any], reason: str) -> None:
        """Pause the studio in the interaction's server.

        Raises:
            NotAllowedError: the person is no admin there.
        """
        name = str(require_admin(interaction))
        begun = await self._pauses.begin(PauseScope.STUDIO, name, actor_id=interaction.user.id, reason=reason)
        await _answer(interaction, guild_paused(begun))

    async def resume_guild(self, interaction: discord.Interaction[Any]) -> None:
        """End the admins' pause; raises as `pause_guild` does."""
        guild_id = require_admin(interaction)
        ended = await self._pauses.end(PauseScope.STUDIO, str(guild_id), actor_id=interaction.user.id)
        remaining = (await self._pauses.list()).of_operator(guild_id)
        await _answer(interaction, guild_resumed(remaining, ended=ended))

    async def ask_pause_all(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Ask the owner before everything is paused, or show the pause.

        Raises:
            NotAllowedError: the person is not the bot's owner.
        """
        await require_owner(interaction)
        pause = (await self._pauses.list()).of_all
        view = ask_pause_panel() if pause is None else all_paused_panel(pause)
        await interaction.response.send_message(view=view)

    async def pause_all(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Pause everything; raises as `ask_pause_all` does."""
        await require_owner(interaction)
        pause = (await self._pauses.list()).of_all
        if pause is None:
            pause = (await self._pauses.begin(PauseScope.ALL, actor_id=interaction.user.id)).pause
        await interaction.response.edit_message(view=all_paused_panel(pause))

    async def keep_running(self, interaction: discord.Interaction[Any], _: str) -> None:
        """Close the question; raises as `ask_pause_all` does."""
        await require_owner(interaction)
        await interaction.response.edit_message(view=all_resumed_panel(await self._pauses.list(), changed=False))

    async def resume_all(self, interaction: discord.Interaction[Any], _: str) -> None:
        """End the pause of everything; raises as `ask_pause_all` does."""
        await require_owner(interaction)
        changed = await self._pauses.end(PauseScope.ALL, actor_id=interaction.user.id)
        await interaction.response.edit_message(view=all_resumed_panel(await self._pauses.list(), changed=changed))


async def _answer(interaction: discord.Interaction[Any], text: str) -> None:
    await interaction.response.send_message(text, ephemeral=True, allowed_mentions=discord.AllowedMentions.none())
