"""`/duel`: one prompt on several models, and a blind vote."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.duels import DEFAULT_HOURS, MAX_HOURS
from bot.domain.options import OPTIONS
from bot.services.request_resolver import ResolverService
from bot.ui.buttons import DUEL_CANCEL, DUEL_END, DUEL_END_NOW, DUEL_START, DUEL_VOTE
from bot.ui.command_options import OTHER_DESCRIPTIONS, model_choices
from bot.ui.handlers.duels import DuelHandlers
from bot.ui.handlers.interactions import guild_of


@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
class DuelCommands(
    commands.GroupCog, name="duel", description=locale_str("Let models compete, and vote without knowing them")
):
    """Duels of models, and their ranking."""

    def __init__(self, *, client: AtelierClient, duels: DuelHandlers, resolver: ResolverService) -> None:
        self._client = client
        self._duels = duels
        self._resolver = resolver

    async def cog_load(self) -> None:
        """Register the buttons."""
        components = self._client.components
        components.register(DUEL_START.action, self._duels.generate)
        components.register(DUEL_CANCEL.action, self._duels.cancel)
        components.register(DUEL_VOTE.action, self._duels.vote)
        components.register(DUEL_END.action, self._duels.ask_end)
        components.register(DUEL_END_NOW.action, self._duels.end)

    @app_commands.command(name="start", description=locale_str("Make one prompt with several models; all can vote"))
    @app_commands.describe(
        prompt=locale_str(OTHER_DESCRIPTIONS["prompt"]),
        model1=locale_str("Choose the first model"),
        model2=locale_str("Choose the second model"),
        model3=locale_str("Add a third model"),
        model4=locale_str("Add a fourth model"),
        aspect_ratio=locale_str("Choose width to height for all pictures"),
        hours=locale_str("How long the vote is open; a day if not given"),
    )
    @app_commands.choices(
        aspect_ratio=[app_commands.Choice(name=ratio, value=ratio) for ratio in OPTIONS["aspect_ratio"].choices]
    )
    async def start(
        self,
        interaction: discord.Interaction[Any],
        *,
        prompt: str,
        model1: str,
        model2: str,
        model3: str | None = None,
        model4: str | None = None,
        aspect_ratio: str | None = None,
        hours: app_commands.Range[int, 1, MAX_HOURS] = DEFAULT_HOURS,
    ) -> None:
        """Ask with the price of all pictures; the answer is private."""
        models = [model for model in (model1, model2, model3, model4) if model is not None]
        await self._duels.start(interaction, prompt=prompt, models=models, aspect_ratio=aspect_ratio, hours=hours)

    @start.autocomplete("model1")
    @start.autocomplete("model2")
    @start.autocomplete("model3")
    @start.autocomplete("model4")
    async def _models(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return the models that are not in the duel yet, with their prices."""
        chosen = dict(iter(interaction.namespace))
        quotes = await self._resolver.quotes(
            {"aspect_ratio": chosen.get("aspect_ratio")}, guild_id=guild_of(interaction), member_id=interaction.user.id
        )
        taken = {chosen.get(f"model{place}") for place in range(1, 5)} - {typed}
        return model_choices([quote for quote in quotes if quote.model.id not in taken], typed)

    @app_commands.command(name="ranking", description=locale_str("See how the models did in this server's duels"))
    async def ranking(self, interaction: discord.Interaction[Any]) -> None:
        """Answer privately with the ranking."""
        await self._duels.ranking(interaction)
