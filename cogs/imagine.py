"""`/imagine`: pictures from a prompt."""

from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.catalogue import DEFAULT_FORMAT, DEFAULT_MODEL, DEFAULT_RATIO, MAX_DETAIL, MAX_IMAGES
from bot.domain.quotes import quotes
from bot.domain.requests import MAX_WORD, generation_request
from bot.services.generation import GenerationService
from bot.ui.acknowledge import Acknowledger
from bot.ui.options import CHOICES, DESCRIBED, fit_choices, model_choices, version_choices
from bot.ui.places import place_of


class Imagine(commands.Cog):
    """The command that the studio is for. `providers` are those that it has, in the operator's order."""

    def __init__(self, *, generation: GenerationService, acknowledger: Acknowledger, providers: Sequence[str]) -> None:
        self._providers = providers
        self._generation = generation
        self._acknowledger = acknowledger

    @app_commands.command(name="imagine", description=locale_str("Make pictures from a prompt"))
    @app_commands.guild_only()
    @app_commands.describe(**DESCRIBED)
    @app_commands.choices(**CHOICES)
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        *,
        prompt: str,
        model: app_commands.Range[str, 1, MAX_WORD] = DEFAULT_MODEL,
        aspect_ratio: str = DEFAULT_RATIO,
        images: app_commands.Range[int, 1, MAX_IMAGES] = 1,
        detail: app_commands.Range[int, 1, MAX_DETAIL] = 1,
        format: str = DEFAULT_FORMAT,  # noqa: A002 - the option's name
        resolution: str | None = None,
        upscale: str | None = None,
        remove_background: bool = False,
        fit: app_commands.Range[str, 1, MAX_WORD] | None = None,
        effect: app_commands.Range[str, 1, MAX_WORD] | None = None,
        version: app_commands.Range[str, 1, MAX_WORD] | None = None,
    ) -> None:
        """Hold the price, make the job and answer with its card."""
        request = generation_request(
            prompt=prompt,
            model=model,
            aspect_ratio=aspect_ratio,
            images=images,
            detail=detail,
            format=format,
            resolution=resolution,
            upscale=upscale,
            remove_background=remove_background,
            fit=fit,
            effect=effect,
            version=version,
            providers=self._providers,
        )
        snapshot = await self._generation.request(place_of(interaction), request)
        await self._acknowledger.acknowledge(interaction, snapshot)

    @imagine.autocomplete("model")
    async def _models(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return model_choices(quotes(dict(iter(interaction.namespace)), self._providers), typed)

    @imagine.autocomplete("fit")
    async def _fits(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return fit_choices(typed)

    @imagine.autocomplete("version")
    async def _versions(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return version_choices(typed)
