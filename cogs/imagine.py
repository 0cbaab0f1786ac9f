"""`/imagine`: pictures from a prompt."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.presets import MAX_NAME
from bot.ui.command_options import OTHER_DESCRIPTIONS, image_options
from bot.ui.handlers.job_requests import JobRequests
from bot.ui.handlers.presets import PresetHandlers


class Imagine(commands.Cog):
    """The command that the studio is for."""

    def __init__(self, *, requests: JobRequests, presets: PresetHandlers) -> None:
        self._requests = requests
        self._presets = presets

    @app_commands.command(name="imagine", description=locale_str("Make pictures from a prompt"))
    @app_commands.guild_only()
    @app_commands.describe(**{name: locale_str(text) for name, text in OTHER_DESCRIPTIONS.items()})
    @image_options(after="prompt")
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        /,
        *,
        prompt: str,
        preset: app_commands.Range[str, 1, MAX_NAME] | None = None,
        private: bool | None = None,
        **options: Any,
    ) -> None:
        """Request images. The answer is their card or a confirmation."""
        await self._requests.create(interaction, prompt=prompt, options=options, preset=preset, private=private)

    @imagine.autocomplete("model")
    async def _models(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._requests.model_choices(interaction, typed)

    @imagine.autocomplete("effect")
    async def _effects(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return self._requests.effect_choices(typed)

    @imagine.autocomplete("preset")
    async def _preset_choices(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[app_commands.Choice[str]]:
        return await self._presets.choices(interaction, typed)
