"""The tree of commands: checks before each, answers to errors."""

from typing import Any

import discord
from discord import app_commands

from bot.ui.handlers.command_values import check_values
from bot.ui.handlers.error_handler import answer_error
from bot.ui.handlers.interactions import attach_settings
from bot.ui.i18n import set_locale


class AtelierTree(app_commands.CommandTree[Any]):
    """The commands, with their common checks and answers to errors."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Set the member's locale for the task of their answer.

        Returns False for an interaction that was delivered before, and for a completion of no text.

        Raises:
            OddValueError: see `check_values`.
        """
        set_locale(interaction.locale.value)
        if interaction.type is discord.InteractionType.autocomplete and not _types_text(interaction.data):
            return False
        if not self.client.seen.is_first(interaction):
            return False
        if interaction.type is not discord.InteractionType.autocomplete:
            check_values(interaction)
        await attach_settings(interaction, self.client.read_settings)
        if interaction.type is not discord.InteractionType.autocomplete:
            await self.client.count_purchases(interaction)
        return True

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        """Answer a command's error."""
        await answer_error(interaction, error)


def _types_text(data: Any) -> bool:
    """Return whether the option being completed is a text."""
    options = (data or {}).get("options") or ()
    return any(
        isinstance(option.get("value"), str) if option.get("focused") else _types_text(option) for option in options
    )
