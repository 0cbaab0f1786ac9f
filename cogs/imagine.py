"""`/imagine`: pictures from a prompt."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.models import MAX_DETAIL, MAX_IMAGES
from bot.domain.presets import MAX_NAME
from bot.domain.requests import MAX_WORD
from bot.ui.command_options import CHOICES, DESCRIBED, fit_choices, version_choices
from bot.ui.handlers.wishes import Wishes


class Imagine(commands.Cog):
    """The command that the studio is for."""

    def __init__(self, *, wishes: Wishes) -> None:
        self._wishes = wishes

    @app_commands.command(name="imagine", description=locale_str("Make pictures from a prompt"))
    @app_commands.guild_only()
    @app_commands.describe(**DESCRIBED)
    @app_commands.choices(**CHOICES)
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        *,
        prompt: str,
        model: app_commands.Range[str, 1, MAX_WORD] | None = None,
        aspect_ratio: str | None = None,
        images: app_commands.Range[int, 1, MAX_IMAGES] | None = None,
        detail: app_commands.Range[int, 1, MAX_DETAIL] | None = None,
        format: str | None = None,  # noqa: A002 - the option's name
        resolution: str | None = None,
        upscale: str | None = None,
        remove_background: bool | None = None,
        fit: app_commands.Range[str, 1, MAX_WORD] | None = None,
        effect: app_commands.Range[str, 1, MAX_WORD] | None = None,
        version: app_commands.Range[str, 1, MAX_WORD] | None = None,
        preset: app_commands.Range[str, 1, MAX_NAME] | None = None,
        private: bool | None = None,
    ) -> None:
        """Order the pictures: the answer is their card, or the question whether they are worth their price."""
        options = {
            "model": model,
            "aspect_ratio": aspect_ratio,
            "images": images,
            "detail": detail,
            "format": format,
            "resolution": resolution,
            "upscale": upscale,
            "remove_background": remove_background,
            "fit": fit,
            "effect": effect,
            "version": version,
        }
        await self._wishes.order(interaction, prompt=prompt, options=options, preset=preset, private=private)

    @imagine.autocomplete("model")
    async def _models(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._wishes.models(interaction, typed)

    @imagine.autocomplete("preset")
    async def _presets(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._wishes.presets(interaction, typed)

    @imagine.autocomplete("fit")
    async def _fits(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return fit_choices(typed)

    @imagine.autocomplete("version")
    async def _versions(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return version_choices(typed)
