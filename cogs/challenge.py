"""`/challenge`: a theme, entries, a vote and winners."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.allowances import MAX_CREDITS
from bot.domain.sharing.challenges import MAX_THEME
from bot.ui.buttons import CHALLENGE_BALLOT, CHALLENGE_ENTER, CHALLENGE_PICK, CHALLENGE_RESULTS, CHALLENGE_VOTE
from bot.ui.handlers.sharing.challenges import ChallengeHandlers


@app_commands.guild_only()
class ChallengeCommands(commands.GroupCog, name="challenge", description=locale_str("Hold contests of pictures")):
    """Contests of a server."""

    def __init__(self, *, client: AtelierClient, handlers: ChallengeHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons, the menu and the form."""
        components, handlers = self._client.components, self._handlers
        components.register(CHALLENGE_ENTER.action, handlers.ask_picture)
        components.register(CHALLENGE_PICK, handlers.ask_title)
        components.register_form(CHALLENGE_PICK, handlers.enter)
        components.register(CHALLENGE_VOTE.action, handlers.vote)
        components.register(CHALLENGE_BALLOT.action, handlers.show_ballot)
        components.register(CHALLENGE_RESULTS.action, handlers.show_results)

    @app_commands.command(name="start", description=locale_str("Start a challenge in this channel"))
    @app_commands.describe(
        theme=locale_str("What the pictures are about"),
        entry_days=locale_str("Days for entries (1-30)"),
        vote_days=locale_str("Days for the vote (1-30)"),
        prize=locale_str("Credits for the first place (admins only)"),
    )
    async def start(
        self,
        interaction: discord.Interaction[Any],
        theme: app_commands.Range[str, 1, MAX_THEME],
        entry_days: app_commands.Range[int, 1, 30] = 7,
        vote_days: app_commands.Range[int, 1, 30] = 2,
        prize: app_commands.Range[int, 0, MAX_CREDITS] = 0,
    ) -> None:
        """Start a challenge."""
        await self._handlers.start(interaction, theme=theme, entry_days=entry_days, vote_days=vote_days, prize=prize)

    @app_commands.command(name="close", description=locale_str("End the entries or the vote of a challenge now"))
    @app_commands.describe(challenge=locale_str("Which challenge"))
    async def close(self, interaction: discord.Interaction[Any], challenge: str) -> None:
        """End the present phase."""
        await self._handlers.close(interaction, challenge)

    @app_commands.command(name="cancel", description=locale_str("Cancel a challenge without winners"))
    @app_commands.describe(challenge=locale_str("Which challenge"))
    async def cancel(self, interaction: discord.Interaction[Any], challenge: str) -> None:
        """Cancel a challenge."""
        await self._handlers.cancel(interaction, challenge)

    @close.autocomplete("challenge")
    @cancel.autocomplete("challenge")
    async def _running(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await self._handlers.choices(interaction, typed)
