"""`/preset`: options with a prompt's frame, kept under a name."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.presets import MAX_NAME, MAX_TEMPLATE
from bot.services.request_resolver import ResolverService
from bot.ui.buttons import RESTORE
from bot.ui.command_options import effect_choices, image_options, model_choices
from bot.ui.handlers.interactions import actor_of
from bot.ui.handlers.presets import PresetHandlers


class PresetCommands(commands.GroupCog, name="preset", description=locale_str("Keep options under a name")):
    """A member's own presets, and the server's."""

    def __init__(self, *, client: AtelierClient, presets: PresetHandlers, resolver: ResolverService) -> None:
        self._client = client
        self._presets = presets
        self._resolver = resolver

    async def cog_load(self) -> None:
        """Register the button that restores a deleted preset."""
        self._client.components.register(RESTORE.action, self._presets.restore)

    @app_commands.command(name="save", description=locale_str("Save options and a prompt under a name"))
    @app_commands.describe(
        name=locale_str("Name it; a preset of the same name is replaced"),
        prompt=locale_str("Frame the prompt: {prompt} stands for what is typed later, else it comes last"),
        for_server=locale_str("Save it for everybody in this server; for moderators"),
    )
    @image_options(after="prompt")
    async def save(
        self,
        interaction: discord.Interaction[Any],
        /,
        *,
        name: app_commands.Range[str, 1, MAX_NAME],
        prompt: app_commands.Range[str, 1, MAX_TEMPLATE] | None = None,
        for_server: bool = False,
        **options: Any,
    ) -> None:
        """Save a preset and show it."""
        await self._presets.save(interaction, name=name, template=prompt, options=options, shared=for_server)

    @app_commands.command(name="list", description=locale_str("See your presets and this server's"))
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with all that can be used here."""
        await self._presets.show(interaction)

    @app_commands.command(name="delete", description=locale_str("Delete a preset"))
    @app_commands.describe(
        name=locale_str("Choose the preset"),
        for_server=locale_str("Delete this server's preset rather than your own; for moderators"),
    )
    async def delete(
        self,
        interaction: discord.Interaction[Any],
        *,
        name: app_commands.Range[str, 1, MAX_NAME],
        for_server: bool = False,
    ) -> None:
        """Delete it, and answer with the way back."""
        await self._presets.delete(interaction, name, shared=for_server)

    @delete.autocomplete("name")
    async def _deletable(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._presets.deletable(interaction, typed)

    @save.autocomplete("name")
    async def _names(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._presets.deletable(interaction, typed)

    @save.autocomplete("effect")
    async def _effects(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return effect_choices(self._resolver.effects, typed)

    @save.autocomplete("model")
    async def _models(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        actor = actor_of(interaction)
        quotes = await self._resolver.quotes(
            dict(iter(interaction.namespace)), guild_id=actor.guild_id, member_id=actor.member_id
        )
        return model_choices(quotes, typed)
