"""From the options of a command that makes pictures to its order, the same for all such commands."""

from collections.abc import Mapping
from typing import Any

import discord
from discord import app_commands

from bot.domain.requests import InputImage
from bot.services.request_resolver import ResolverService
from bot.ui.command_options import model_choices
from bot.ui.handlers.interactions import guild_of
from bot.ui.handlers.job_requests import Orders
from bot.ui.handlers.presets import PresetHandlers


class Wishes:
    """Orders what a member chose, with their preset and their own defaults where they chose nothing."""

    def __init__(self, *, choices: ResolverService, orders: Orders, shelves: PresetHandlers) -> None:
        self._choices = choices
        self._orders = orders
        self._shelves = shelves

    async def order(
        self,
        interaction: discord.Interaction[Any],
        *,
        prompt: str,
        options: Mapping[str, Any],
        preset: str | None,
        private: bool | None,
        inputs: tuple[InputImage, ...] = (),
        input_ratio: str | None = None,
    ) -> None:
        """Ask for the pictures; None in `options`, and for the rest, is not chosen.

        `input_ratio` is the ratio of what it starts from, which it keeps unless another is chosen.
        Raises what `ResolverService.resolver_for` and `Orders.order` say.
        """
        choose = self._choices.resolver_for(
            guild_id=guild_of(interaction),
            member_id=interaction.user.id,
            prompt=prompt,
            options=options,
            preset=preset,
            private=private,
            inputs=inputs,
            input_ratio=input_ratio,
        )
        await self._orders.order(interaction, choose)

    async def models(
        self, interaction: discord.Interaction[Any], typed: str, inputs: tuple[InputImage, ...] = ()
    ) -> list[app_commands.Choice[str]]:
        """Return the models with the price of what is chosen so far."""
        chosen = dict(iter(interaction.namespace))
        quotes = await self._choices.quotes(
            chosen,
            guild_id=guild_of(interaction),
            member_id=interaction.user.id,
            preset=chosen.get("preset"),
            inputs=inputs,
        )
        return model_choices(quotes, typed)

    async def presets(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return the presets that can be used here."""
        return await self._shelves.choices(interaction, typed)
