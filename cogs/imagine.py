"""`/imagine`: pictures from a prompt."""

from collections.abc import Collection
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.domain.catalogue import DEFAULT_MODEL, DEFAULT_RATIO, FORMATS, MAX_DETAIL, MAX_IMAGES, MODELS, RESOLUTIONS
from bot.domain.requests import generation_request
from bot.services.generation import GenerationService
from bot.ui.acknowledge import Acknowledger
from bot.ui.places import place_of

_RATIOS = tuple(dict.fromkeys(ratio for model in MODELS for ratio in model.aspect_ratios))


def _choices(values: tuple[str, ...]) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=value, value=value) for value in values]


_MODEL_CHOICES = [
    app_commands.Choice(name=f"{model.id} · {model.text_price} credits · {model.strength}", value=model.id)
    for model in MODELS
]


class Imagine(commands.Cog):
    """The command that the studio is for."""

    def __init__(self, *, generation: GenerationService, acknowledger: Acknowledger, offered: Collection[str]) -> None:
        self._offered = offered
        self._generation = generation
        self._acknowledger = acknowledger

    @app_commands.command(name="imagine", description="Make pictures from a prompt")
    @app_commands.guild_only()
    @app_commands.describe(
        prompt="What the picture shows",
        model=f"Who paints it; {DEFAULT_MODEL} unless you choose",
        aspect_ratio=f"Width to height; {DEFAULT_RATIO} unless you choose",
        images="How many pictures; each costs",
        detail="More detail for reve-2.0; multiplies the price",
        format="The file's format; png unless you choose",
        resolution="For models that have the choice; 4K may cost more",
    )
    @app_commands.choices(
        model=_MODEL_CHOICES,
        aspect_ratio=_choices(_RATIOS),
        format=_choices(FORMATS),
        resolution=_choices(RESOLUTIONS),
    )
    async def imagine(
        self,
        interaction: discord.Interaction[Any],
        prompt: str,
        model: str = DEFAULT_MODEL,
        aspect_ratio: str = DEFAULT_RATIO,
        images: app_commands.Range[int, 1, MAX_IMAGES] = 1,
        detail: app_commands.Range[int, 1, MAX_DETAIL] = 1,
        format: str = "png",  # noqa: A002 - the option's name
        resolution: str | None = None,
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
            offered=self._offered,
        )
        snapshot = await self._generation.request(place_of(interaction), request)
        await self._acknowledger.acknowledge(interaction, snapshot)
