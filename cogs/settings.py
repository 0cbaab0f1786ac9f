"""`/settings`: a member's default options."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.preferences import MAX_CONFIRM_OVER, Notice
from bot.ui.command_options import setting_options
from bot.ui.handlers.preferences import PreferenceHandlers


class SettingsCommands(commands.GroupCog, name="settings", description=locale_str("See and change your own defaults")):
    """A member's own defaults."""

    def __init__(self, *, panel: PreferenceHandlers) -> None:
        self._panel = panel

    @app_commands.command(name="show", description=locale_str("See your own defaults"))
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with all of them."""
        await self._panel.show(interaction)

    @app_commands.command(name="set", description=locale_str("Change your own defaults"))
    @app_commands.describe(
        private=locale_str("Show your cards to you alone unless you say otherwise"),
        ask_over=locale_str("Ask you first above so many credits; 0 asks each time"),
        remix=locale_str("Open the prompt and options for changes before Again and Vary"),
        when_done=locale_str("Tell you when a job is done that took a while"),
        decisions=locale_str("Message you when moderators decide about what you share"),
    )
    @app_commands.choices(
        when_done=[
            app_commands.Choice(name=locale_str("No message"), value=Notice.OFF.value),
            app_commands.Choice(name=locale_str("Ping me when done"), value=Notice.PING.value),
            app_commands.Choice(name=locale_str("Direct message me when done"), value=Notice.DIRECT.value),
        ]
    )
    @setting_options(after="interaction")
    async def change(
        self,
        interaction: discord.Interaction[Any],
        /,
        *,
        private: bool | None = None,
        ask_over: app_commands.Range[int, 0, MAX_CONFIRM_OVER] | None = None,
        when_done: str | None = None,
        remix: bool | None = None,
        decisions: bool | None = None,
        **options: Any,
    ) -> None:
        """Change the chosen settings and show the changes."""
        notice = None if when_done is None else Notice(when_done)
        own = {"private": private, "confirm_over": ask_over, "notice": notice, "remix": remix, "decisions": decisions}
        await self._panel.change(interaction, options | own)

    @change.autocomplete("model")
    async def _models(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return self._panel.models(typed)
