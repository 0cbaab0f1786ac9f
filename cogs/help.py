"""`/help`: how to begin, from the catalogue, and every command."""

from collections.abc import Callable, Mapping
from typing import Any

import discord
from discord import app_commands, ui
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.catalogue import Catalogue
from bot.domain.errors import NotOfferedError
from bot.ui.buttons import HELP
from bot.ui.handlers.component_registry import picture_of
from bot.ui.render.command_list import CommandEntry, HelpPage, command_list
from bot.ui.render.panels import help_panel


class Help(commands.Cog):
    """First steps, the offered models, and every command."""

    def __init__(
        self,
        *,
        client: AtelierClient,
        catalogue: Catalogue,
        command_ids: Callable[[], Mapping[str, int]],
        mentions: bool,
        contact: str | None,
    ) -> None:
        self._client = client
        self._catalogue = catalogue
        self._mentions = mentions
        self._contact = contact
        self._command_ids = command_ids

    async def cog_load(self) -> None:
        """Register the buttons."""
        self._client.components.register(HELP.action, self._turn)

    @app_commands.command(name="help", description=locale_str("See how to make pictures, and what each model can do"))
    async def help(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the help."""
        await interaction.response.send_message(view=self._page(HelpPage.STEPS), ephemeral=True)

    async def _turn(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show the page of the pressed button."""
        del target
        try:
            page = HelpPage(picture_of(interaction))
        except ValueError:
            raise NotOfferedError from None
        await interaction.response.edit_message(view=self._page(page))

    def _page(self, page: HelpPage) -> ui.LayoutView:
        if page is HelpPage.STEPS:
            return help_panel(self._catalogue, self._command_ids(), mentions=self._mentions, contact=self._contact)
        tree = self._client.tree
        entries = [
            CommandEntry(each.qualified_name, each.description)
            for each in tree.walk_commands()
            if isinstance(each, app_commands.Command)
        ]
        menus = [each.name for each in tree.get_commands(type=discord.AppCommandType.message)]
        return command_list(page, entries, menus, self._command_ids())
